internal import Documents
internal import FoundationEssentials

/// Documents `{"NAME":[ENTRY,ENTRY…],"format":…}`, written and read in their canonical form an entry at a time: as one value, a change
/// set of a hundred thousand entries takes ten times the memory of its entries.
struct EntryList {
    private let name: String
    private let format: String
    private let head: [UInt8]
    private let tail: [UInt8]

    init(name: String, format: String) {
        self.name = name
        self.format = format
        head = Array("{\"\(name)\":[".utf8)
        tail = Array("],\"format\":\(JSON.string(format).canonicalText)}".utf8)
    }

    /// Hands out the document of these entries in pieces of some tens of kibibytes.
    func forEachPiece<Entry>(
        _ entries: [Entry], canonical: (Entry) -> [UInt8], _ body: (Data) throws -> Void
    ) rethrows {
        var piece = head
        for (index, entry) in entries.enumerated() {
            if index > 0 { piece.append(UInt8(ascii: ",")) }
            piece += canonical(entry)
            if piece.count >= 1 << 15 {
                try body(Data(piece))
                piece.removeAll(keepingCapacity: true)
            }
        }
        piece += tail
        try body(Data(piece))
    }

    /// The entries of a document.
    ///
    /// - Parameters:
    ///   - document: Its bytes.
    ///   - what: What it is called where it is refused.
    ///   - entry: Reads one.
    /// - Returns: What `entry` made of each.
    /// - Throws: What `entry` throws, and why the document has not this form.
    func read<T>(_ document: Data, as what: String, _ entry: (ManifestReader) throws -> T) throws -> [T] {
        if let entries = try map(document, { try entry(ManifestReader(document: what, json: $0)) }) { return entries }
        // As one value it tells what is wrong.
        let reader = ManifestReader(document: what, json: try JSON(parsing: document))
        try reader.expectFormat(format)
        return try reader.list(name).map(entry)
    }

    /// Calls `body` with every entry; `nil` where the document has not this form.
    private func map<T>(_ document: Data, _ body: (JSON) throws -> T) throws -> [T]? {
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
