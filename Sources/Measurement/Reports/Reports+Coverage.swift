public import struct FoundationEssentials.Data

extension Reports {
    /// Reads a coverage report: Cobertura XML when it begins with `<`, else LCOV.
    /// - Parameters:
    ///   - data: the report.
    ///   - name: what to call it in errors, usually its path.
    /// - Returns: covered and coverable lines.
    /// - Throws: ``Malformed``.
    public static func coverage(_ data: Data, name: String) throws -> Coverage {
        let first = data.first { $0 > 32 && $0 < 127 }
        return first == UInt8(ascii: "<") ? try cobertura(data, name: name) : try lcov(data, name: name)
    }

    /// Counts the lines of a Cobertura report: from its `<line>` elements under `<class>`, each line of a class once.
    ///
    /// The root's `lines-covered` and `lines-valid` serve where no line is listed.
    public static func cobertura(_ data: Data, name: String) throws -> Coverage {
        var reader = MarkupReader(Array(try checked(data, name)))
        var root: [String: String] = [:]
        var path: [String] = []
        var hits: [String: Int] = [:]
        var coverage = Coverage(covered: 0, lines: 0)
        do throws(MarkupReader.Malformed) {
            while let event = try reader.next() {
                switch event {
                case .start(let element, let attributes):
                    if path.isEmpty {
                        root = attributes
                        if element != "coverage" {
                            throw MarkupReader.Malformed(line: 1, why: "<\(element)> is no Cobertura report's root")
                        }
                    }
                    path.append(element)
                    guard element == "line", path.contains("class") else { continue }
                    guard let number = attributes["number"], let count = attributes["hits"].flatMap(Double.init) else {
                        throw MarkupReader.Malformed(line: 0, why: "a <line> lacks its number or hits")
                    }
                    hits[number] = max(hits[number] ?? 0, count > 0 ? 1 : 0)
                case .end(let element):
                    path.removeLast()
                    guard element == "class" else { continue }
                    coverage.lines += hits.count
                    coverage.covered += hits.values.reduce(0, +)
                    hits = [:]
                }
            }
        } catch {
            throw Malformed(name, error.line > 0 ? "line \(error.line): \(error.why)" : error.why)
        }
        if coverage.lines == 0, let covered = root["lines-covered"].flatMap({ Int($0) }),
            let valid = root["lines-valid"].flatMap({ Int($0) })
        {
            coverage = Coverage(covered: covered, lines: valid)
        }
        return try sound(coverage, name)
    }

    /// Counts the lines of an LCOV tracefile: from its `DA:` records, each line of a source file once; from `LH:` and
    /// `LF:` for a file without.
    public static func lcov(_ data: Data, name: String) throws -> Coverage {
        let text = String(decoding: try checked(data, name), as: UTF8.self)
        var files: [String: [String: Bool]] = [:]
        var sums: [String: Coverage] = [:]
        var file: String?
        var found = 0
        var hit = 0
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            func refuse(_ why: String) -> Malformed { Malformed(name, "line \(index + 1): \(why)") }
            if line.hasPrefix("SF:") {
                file = String(line.dropFirst(3))
                (found, hit) = (0, 0)
            } else if line == "end_of_record" {
                guard let done = file else { throw refuse("end_of_record without SF:") }
                if files[done] == nil { sums[done] = Coverage(covered: hit, lines: found) }
                file = nil
            } else if line.hasPrefix("DA:") {
                let parts = line.dropFirst(3).split(separator: ",")
                guard let file, parts.count >= 2, let count = Double(parts[1]) else {
                    throw refuse("DA: needs a line and a count, inside of a record")
                }
                files[file, default: [:]][String(parts[0]), default: false] =
                    files[file]?[String(parts[0])] == true || count > 0
            } else if line.hasPrefix("LF:") || line.hasPrefix("LH:") {
                guard file != nil, let count = Int(line.dropFirst(3)) else {
                    throw refuse("\(line.prefix(3)) needs a count")
                }
                if line.hasPrefix("LF:") { found = count } else { hit = count }
            } else if !line.isEmpty, !line.hasPrefix("#"), !line.contains(":") {
                throw refuse("this is no LCOV record")
            }
        }
        guard file == nil else { throw Malformed(name, "it ends inside of a record") }
        guard !files.isEmpty || !sums.isEmpty else { throw Malformed(name, "there is no record in it") }
        var coverage = Coverage(covered: 0, lines: 0)
        for lines in files.values {
            coverage.lines += lines.count
            coverage.covered += lines.values.count { $0 }
        }
        for (file, sum) in sums where files[file] == nil {
            coverage.lines += sum.lines
            coverage.covered += sum.covered
        }
        return try sound(coverage, name)
    }

    private static func sound(_ coverage: Coverage, _ name: String) throws -> Coverage {
        guard coverage.covered >= 0, coverage.covered <= coverage.lines else {
            throw Malformed(name, "it claims \(coverage.covered) covered lines of \(coverage.lines)")
        }
        return coverage
    }
}
