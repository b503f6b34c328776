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

    var json: JSON {
        .object(["format": .string(Self.format), "entries": .array(entries.map(\.json))])
    }

    /// Reads a base document; only the very bytes that ``document`` would write are taken.
    public static func parse(_ document: Data) throws -> Base {
        let reader = ManifestReader(document: "base document", json: try JSON(parsing: document))
        try reader.expectFormat(format)
        let base = try Base(inOrder: reader.list("entries").map { try BaseEntry(reading: $0) })
        guard base.document == document else {
            throw ForkError.malformed(
                "The base document is not in its canonical form (RFC 8785, no unknown members), so its digest could stand "
                    + "for something else. Take the document as the agent wrote it, byte for byte.")
        }
        return base
    }
}

extension BaseEntry {
    var json: JSON {
        var entry: [String: JSON] = [
            "path": .string(Data(path.bytes).base64URL), "display": .string(TextEscaping.path(path)),
        ]
        switch state {
        case .absent: entry["state"] = "absent"
        case .movedUnderFork: entry["state"] = "moved"
        case .present(let state):
            entry["state"] = "present"
            entry["type"] = .string(state.type.rawValue)
            entry["mode"] = .string(String(state.mode))
            entry["uid"] = .string(String(state.uid))
            entry["gid"] = .string(String(state.gid))
            if !state.xattrs.isEmpty { entry["xattrs"] = .object(state.xattrs.mapValues { .string($0.base64URL) }) }
            if let target = state.linkTarget { entry["link_target"] = .string(target.base64URL) }
            if let size = state.size { entry["size"] = .string(String(size)) }
            if let content = state.content { entry["content"] = .string(content.hex) }
            if let device = state.device { entry["device"] = .string(device.text) }
            if let listing = state.listing { entry["listing"] = .array(listing.map { .string($0.base64URL) }) }
        }
        return .object(entry)
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
