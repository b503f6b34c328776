internal import FoundationEssentials
internal import Documents
public import Linux

extension ChangeSet {
    /// Files longer than this are named in a diff, not shown.
    static let diffLimit = 1 << 20

    /// The whole change set as a unified diff for people (as `diff -u` writes it), the old contents taken from `old`.
    ///
    /// Control characters and what hides or reorders text are escaped, so this is for reading, not for `patch`. Binary and very
    /// long files are named with their digests.
    ///
    /// - Parameters:
    ///   - blobs: Where the new contents lie. A blob that is missing or altered is said to be.
    ///   - old: A path's content before the change; `nil` where it was not kept.
    /// - Returns: The text, lines ended by line feeds.
    public func unifiedDiff(blobs: BlobStore, old: (BytePath) throws -> [UInt8]?) rethrows -> String {
        var output = ""
        for (change, line) in zip(changes, summary) {
            output += "# \(line)\n"
            guard change.type == .file, change.kind != .metadata else { continue }
            let before = change.kind == .create ? [] : try old(change.path)
            let after: [UInt8]?
            if let content = change.content {
                if let size = change.size, size > Int64(Self.diffLimit) {
                    output += "# \(size) bytes, sha256 \(content.hex): too long to show\n"
                    continue
                }
                do {
                    after = Array(try blobs.read(content, limit: Self.diffLimit))
                } catch {
                    output += "# not shown: \(TextEscaping.line("\(error)".utf8))\n"
                    continue
                }
            } else {
                after = []
            }
            guard let before, let after else {
                output += "# the old content was not kept; new sha256 \(change.content?.hex ?? "none")\n"
                continue
            }
            guard Self.isText(before), Self.isText(after) else {
                output += "# binary; new sha256 \(change.content?.hex ?? "none")\n"
                continue
            }
            let path = TextEscaping.path(change.path)
            output += change.kind == .create ? "--- /dev/null\n" : "--- a\(path)\n"
            output += change.kind == .delete ? "+++ /dev/null\n" : "+++ b\(path)\n"
            output += LineDiff(old: before, new: after).unified()
        }
        return output
    }

    /// The same with the old contents taken from the pre-images that ``Fork/base(of:reads:blobs:)`` kept.
    public func unifiedDiff(blobs: BlobStore, base: Base) -> String {
        unifiedDiff(blobs: blobs) { path in
            guard case .present(let state) = base[path] else { return [] }
            guard state.type == .file else { return [] }
            return state.content.flatMap { try? blobs.read($0, limit: Self.diffLimit) }.map { Array($0) }
        }
    }

    static func isText(_ bytes: [UInt8]) -> Bool {
        bytes.count <= diffLimit && !bytes.prefix(8000).contains(0)
    }
}

/// The difference of two texts by lines: Myers, “An O(ND) Difference Algorithm and Its Variations” (1986), greedy, with a
/// bound on D after which the middle is shown as replaced as a whole.
struct LineDiff {
    /// The greatest number of differing lines that is worked out in full.
    static let bound = 2000
    static let context = 3

    enum Edit: Equatable { case keep(Int, Int), remove(Int), insert(Int) }

    let old: [ArraySlice<UInt8>]
    let new: [ArraySlice<UInt8>]
    private let oldEndsOpen: Bool
    private let newEndsOpen: Bool

    init(old: [UInt8], new: [UInt8]) {
        (self.old, oldEndsOpen) = Self.lines(old)
        (self.new, newEndsOpen) = Self.lines(new)
    }

    private static func lines(_ bytes: [UInt8]) -> ([ArraySlice<UInt8>], Bool) {
        guard let last = bytes.last else { return ([], false) }
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if last == UInt8(ascii: "\n") { lines.removeLast() }
        return (lines, last != UInt8(ascii: "\n"))
    }

    /// A last line with and one without a line feed are two lines.
    func isSame(_ left: Int, _ right: Int) -> Bool {
        let leftOpen = oldEndsOpen && left == old.count - 1
        let rightOpen = newEndsOpen && right == new.count - 1
        return leftOpen == rightOpen && old[left] == new[right]
    }

    func edits() -> [Edit] {
        var start = 0
        while start < old.count, start < new.count, isSame(start, start) { start += 1 }
        var end = 0
        while end < old.count - start, end < new.count - start, isSame(old.count - 1 - end, new.count - 1 - end) {
            end += 1
        }
        var result = (0..<start).map { Edit.keep($0, $0) }
        result += middle(start..<(old.count - end), start..<(new.count - end))
        result += (0..<end).reversed().map { Edit.keep(old.count - 1 - $0, new.count - 1 - $0) }
        return result
    }

    private func middle(_ left: Range<Int>, _ right: Range<Int>) -> [Edit] {
        let whole = left.map { Edit.remove($0) } + right.map { Edit.insert($0) }
        if left.isEmpty || right.isEmpty { return whole }
        let limit = min(Self.bound, left.count + right.count)
        // furthest[k + limit + 1]: how far into `left` the best path on diagonal k has come.
        var furthest = [Int](repeating: 0, count: 2 * limit + 3)
        var trace: [ArraySlice<Int>] = []
        for distance in 0...limit {
            trace.append(furthest[(limit + 1 - distance)...(limit + 1 + distance)])
            for diagonal in stride(from: -distance, through: distance, by: 2) {
                let place = diagonal + limit + 1
                var x =
                    diagonal == -distance || diagonal != distance && furthest[place - 1] < furthest[place + 1]
                    ? furthest[place + 1] : furthest[place - 1] + 1
                while x < left.count, x - diagonal < right.count,
                    isSame(left.lowerBound + x, right.lowerBound + x - diagonal)
                {
                    x += 1
                }
                furthest[place] = x
                if x >= left.count && x - diagonal >= right.count {
                    return backtrack(trace, distance, left, right, limit)
                }
            }
        }
        return whole
    }

    private func backtrack(
        _ trace: [ArraySlice<Int>], _ distance: Int, _ left: Range<Int>, _ right: Range<Int>, _ limit: Int
    ) -> [Edit] {
        var edits: [Edit] = []
        var x = left.count
        var y = right.count
        for step in stride(from: distance, through: 1, by: -1) {
            let diagonal = x - y
            func value(_ diagonal: Int) -> Int {
                let place = diagonal + limit + 1
                return trace[step].indices.contains(place) ? trace[step][place] : 0
            }
            let isDown = diagonal == -step || diagonal != step && value(diagonal - 1) < value(diagonal + 1)
            let previous = isDown ? diagonal + 1 : diagonal - 1
            let previousX = value(previous)
            let previousY = previousX - previous
            while x > previousX && y > previousY && x > 0 && y > 0 {
                x -= 1
                y -= 1
                edits.append(.keep(left.lowerBound + x, right.lowerBound + y))
            }
            if isDown {
                y -= 1
                edits.append(.insert(right.lowerBound + y))
            } else {
                x -= 1
                edits.append(.remove(left.lowerBound + x))
            }
        }
        while x > 0 {
            x -= 1
            y -= 1
            edits.append(.keep(left.lowerBound + x, right.lowerBound + y))
        }
        return edits.reversed()
    }

    /// The hunks, each with three lines around it.
    func unified() -> String {
        let edits = edits()
        var output = ""
        var index = 0
        while index < edits.count {
            guard let first = edits[index...].firstIndex(where: Self.isChange) else { break }
            let begin = max(first - Self.context, index)
            var end = first + 1
            var scan = end
            while scan < edits.count, scan - end <= 2 * Self.context {
                if Self.isChange(edits[scan]) { end = scan + 1 }
                scan += 1
            }
            let close = min(end + Self.context, edits.count)
            output += hunk(edits[begin..<close], all: edits)
            index = close
        }
        return output
    }

    private static func isChange(_ edit: Edit) -> Bool {
        if case .keep = edit { false } else { true }
    }

    private func hunk(_ hunk: ArraySlice<Edit>, all: [Edit]) -> String {
        var oldStart = 0
        var newStart = 0
        for edit in all[..<hunk.startIndex] {
            switch edit {
            case .keep:
                oldStart += 1
                newStart += 1
            case .remove: oldStart += 1
            case .insert: newStart += 1
            }
        }
        var oldCount = 0
        var newCount = 0
        var body = ""
        for edit in hunk {
            switch edit {
            case .keep(let line, _):
                oldCount += 1
                newCount += 1
                body += " " + text(old[line], open: oldEndsOpen && line == old.count - 1)
            case .remove(let line):
                oldCount += 1
                body += "-" + text(old[line], open: oldEndsOpen && line == old.count - 1)
            case .insert(let line):
                newCount += 1
                body += "+" + text(new[line], open: newEndsOpen && line == new.count - 1)
            }
        }
        return "@@ -\(range(oldStart, oldCount)) +\(range(newStart, newCount)) @@\n" + body
    }

    private func range(_ start: Int, _ count: Int) -> String {
        let first = count == 0 ? start : start + 1
        return count == 1 ? "\(first)" : "\(first),\(count)"
    }

    private func text(_ line: ArraySlice<UInt8>, open: Bool) -> String {
        TextEscaping.line(line) + (open ? "\n\\ No newline at end of file\n" : "\n")
    }
}
