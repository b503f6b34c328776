internal import Documents
internal import FoundationEssentials

/// Reads a document `{"NAME":[ENTRY,ENTRY…],"format":…}` in its canonical form an entry at a time: as one value, a change set of a
/// hundred thousand entries takes ten times the memory of its entries.
struct EntryList {
    let document: Data
    let head: [UInt8]
    let tail: [UInt8]

    init(_ document: Data, name: String, format: String) {
        self.document = document
        head = Array("{\"\(name)\":[".utf8)
        tail = Array("],\"format\":\(JSON.string(format).canonicalText)}".utf8)
    }

    /// Calls `body` with every entry.
    ///
    /// - Returns: `nil` where the document has not this form; whoever reads it as one value finds out why.
    func map<T>(_ body: (JSON) throws -> T) throws -> [T]? {
        try document.withUnsafeBytes { bytes -> [T]? in
            guard bytes.count >= head.count + tail.count, bytes.prefix(head.count).elementsEqual(head),
                bytes.suffix(tail.count).elementsEqual(tail)
            else { return nil }
            var entries: [T] = []
            var start = head.count
            let end = bytes.count - tail.count
            while start < end {
                guard let stop = Self.end(of: bytes, from: start, before: end) else { return nil }
                entries.append(try body(JSON(parsing: Data(bytes[start..<stop]))))
                if stop == end { return entries }
                guard bytes[stop] == UInt8(ascii: ","), stop + 1 < end else { return nil }
                start = stop + 1
            }
            return entries
        }
    }

    /// Where the object that begins at `start` ends; `nil` where none does.
    private static func end(of bytes: UnsafeRawBufferPointer, from start: Int, before end: Int) -> Int? {
        var (depth, inString, index) = (0, false, start)
        while index < end {
            switch bytes[index] {
            case UInt8(ascii: "\\") where inString: index += 1
            case UInt8(ascii: "\""): inString.toggle()
            case UInt8(ascii: "{") where !inString, UInt8(ascii: "[") where !inString: depth += 1
            case UInt8(ascii: "}") where !inString, UInt8(ascii: "]") where !inString: depth -= 1
            default: break
            }
            index += 1
            if depth == 0 { return inString ? nil : index }
        }
        return nil
    }
}

extension Data {
    /// Whether these are the very bytes of `pieces`, one after another.
    func isMade(of pieces: ((Data) -> Void) -> Void) -> Bool {
        var (offset, isSame) = (startIndex, true)
        pieces { piece in
            guard isSame, offset + piece.count <= endIndex, self[offset..<(offset + piece.count)].elementsEqual(piece)
            else {
                isSame = false
                return
            }
            offset += piece.count
        }
        return isSame && offset == endIndex
    }
}
