internal import Documents
public import FoundationEssentials
internal import Linux

// The base document, canonical JSON (RFC 8785):
//
//     {"entries":[ENTRY…],"format":"grace.base.v1"}
//
// ENTRY has `path`, `display` and `state`: "absent", "moved" (live changed it under the fork) or "present", and with the last
// `type`, `mode`, `uid`, `gid` and where they apply `xattrs`, `link_target`, `size`, `content`, `device` as in a manifest, and
// `listing`, the names in a directory (base64url, sorted by their bytes).

extension Base {
    static let format = "grace.base.v1"
    private static let list = EntryList(name: "entries", format: format)

    /// Canonical JSON (RFC 8785), made like a change set's manifest.
    public var document: Data {
        var data = Data()
        forEachDocumentPiece { data.append($0) }
        return data
    }

    /// Hands out the document piece by piece, an entry at a time.
    public func forEachDocumentPiece(_ body: (Data) throws -> Void) rethrows {
        try Self.list.forEachPiece(entries, canonical: \.canonical, body)
    }

    /// Reads a base document; only the very bytes that ``document`` would write are taken.
    public static func parse(_ document: Data) throws -> Base {
        let entries = try list.read(document, as: "base document") { try BaseEntry(reading: $0) }
        let base = try Base(inOrder: entries)
        guard document.isMade(of: { base.forEachDocumentPiece($0) }) else {
            throw ForkError.malformed(
                "The base document is not in its canonical form (RFC 8785, no unknown members), so its digest could stand "
                    + "for something else. Take the document as the agent wrote it, byte for byte.")
        }
        return base
    }
}

extension BaseEntry {
    /// The entry in its canonical form, written without making a value of it first: there may be a million of them.
    var canonical: [UInt8] {
        var object = CanonicalObject()
        var file: FileState?
        if case .present(let state) = state { file = state }
        if let content = file?.content { object.add("content", content.hex) }
        if let device = file?.device { object.add("device", device.text) }
        object.add("display", TextEscaping.path(path))
        if let file { object.add("gid", String(file.gid)) }
        if let target = file?.linkTarget { object.add("link_target", target.base64URL) }
        if let listing = file?.listing { object.add("listing", .array(listing.map { .string($0.base64URL) })) }
        if let file { object.add("mode", String(file.mode)) }
        object.add("path", Data(path.bytes).base64URL)
        if let size = file?.size { object.add("size", String(size)) }
        switch state {
        case .absent: object.add("state", "absent")
        case .movedUnderFork: object.add("state", "moved")
        case .present: object.add("state", "present")
        }
        if let file {
            object.add("type", file.type.rawValue)
            object.add("uid", String(file.uid))
            if !file.xattrs.isEmpty {
                object.add("xattrs", .object(file.xattrs.mapValues { .string($0.base64URL) }))
            }
        }
        object.finish()
        return object.bytes
    }

    init(reading reader: ManifestReader) throws {
        let path = try reader.path("path")
        switch try reader.string("state") {
        case "absent": self.init(path: path, state: .absent)
        case "moved": self.init(path: path, state: .movedUnderFork)
        case "present":
            var state = FileState(
                type: try reader.choice("type"), mode: try reader.integer("mode"), uid: try reader.integer("uid"),
                gid: try reader.integer("gid"))
            state.xattrs = try reader.xattrs()
            state.linkTarget = try reader.bytes("link_target")
            state.size = try reader.integerIfPresent("size")
            state.content = try reader.digest("content")
            state.device = try reader.device()
            if let listing = reader.json["listing"] {
                guard let names = listing.array else { throw reader.refuse("listing", "a list") }
                state.listing = try names.map { name in
                    guard let data = name.string.flatMap({ Data(base64URL: $0) }) else {
                        throw reader.refuse("listing", "a list of names in base64url")
                    }
                    return data
                }
            }
            self.init(path: path, state: .present(state))
        default: throw reader.refuse("state", "“absent”, “moved” or “present”")
        }
    }
}
