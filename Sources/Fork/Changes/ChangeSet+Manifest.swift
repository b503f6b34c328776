internal import Documents
public import FoundationEssentials
internal import Linux

// The manifest, canonical JSON (RFC 8785):
//
//     {"changes":[ENTRY…],"format":"grace.change-set.v1"}
//
// ENTRY has `kind`, `type`, `path` (base64url of the path's bytes) and `display` (the same for people, escaped), and but for
// deletions `mode`, `uid`, `gid`; where they apply `xattrs` (name to base64url), `link_target` (base64url), `size`, `content`
// (64 hexadecimal digits), `hard_link_group`, `modified` (nanoseconds since the epoch), `device` ("c 1:3", "b 8:0").
// Every integer is a decimal string, since RFC 8785 numbers are doubles. Members that do not apply are left out.

extension ChangeSet {
    static let format = "grace.change-set.v1"
    private static let list = EntryList(name: "changes", format: format)

    /// Hands out the manifest piece by piece, an entry at a time: a change set of any size is hashed or written in little memory.
    public func forEachManifestPiece(_ body: (Data) throws -> Void) rethrows {
        try Self.list.forEachPiece(changes, canonical: \.canonicalManifest, body)
    }

    /// Reads a manifest and checks everything about it: only the very bytes that ``manifest`` would write are taken, so
    /// that a digest never stands for two readings.
    public static func parse(manifest: Data) throws -> ChangeSet {
        let set = try ChangeSet(inOrder: list.read(manifest, as: "change set") { try Change(reading: $0) })
        guard manifest.isMade(of: { set.forEachManifestPiece($0) }) else {
            throw ForkError.malformed(
                "The change set's manifest is not in its canonical form (RFC 8785, no unknown members), so its digest could "
                    + "stand for something else. Take the manifest as the agent wrote it, byte for byte.")
        }
        return set
    }

    private init(inOrder changes: [Change]) throws {
        try Self.check(changes)
        self.changes = changes
    }
}

extension Change {
    /// The entry in its canonical form, written without making a value of it first: there may be a million of them.
    var canonicalManifest: [UInt8] {
        var object = CanonicalObject()
        let isThere = kind != .delete
        if isThere, let content { object.add("content", content.hex) }
        if isThere, let device { object.add("device", device.text) }
        object.add("display", TextEscaping.path(path))
        if isThere { object.add("gid", String(gid)) }
        if isThere, let hardLinkGroup { object.add("hard_link_group", String(hardLinkGroup)) }
        object.add("kind", kind.rawValue)
        if isThere, let linkTarget { object.add("link_target", linkTarget.base64URL) }
        if isThere { object.add("mode", String(mode)) }
        if isThere, let modified { object.add("modified", String(modified)) }
        object.add("path", Data(path.bytes).base64URL)
        if isThere, let size { object.add("size", String(size)) }
        object.add("type", type.rawValue)
        if isThere { object.add("uid", String(uid)) }
        if isThere, !xattrs.isEmpty { object.add("xattrs", .object(xattrs.mapValues { .string($0.base64URL) })) }
        object.finish()
        return object.bytes
    }

    init(reading reader: ManifestReader) throws {
        self.init(
            path: try reader.path("path"),
            kind: try reader.choice("kind"), type: try reader.choice("type"))
        xattrs = try reader.xattrs()
        guard kind != .delete else { return }
        mode = try reader.integer("mode")
        uid = try reader.integer("uid")
        gid = try reader.integer("gid")
        linkTarget = try reader.bytes("link_target")
        size = try reader.integerIfPresent("size")
        content = try reader.digest("content")
        hardLinkGroup = try reader.integerIfPresent("hard_link_group")
        modified = try reader.integerIfPresent("modified")
        device = try reader.device()
    }
}

extension DeviceNode {
    /// “c 1:3” or “b 8:0”, as `ls` and `mknod` name them.
    var text: String { "\(isBlock ? "b" : "c") \(major):\(minor)" }

    init?(text: String) {
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == "b" || parts[0] == "c" else { return nil }
        let numbers = parts[1].split(separator: ":", omittingEmptySubsequences: false)
        guard numbers.count == 2, let major = UInt32(numbers[0]), let minor = UInt32(numbers[1]) else { return nil }
        self.init(isBlock: parts[0] == "b", major: major, minor: minor)
    }
}
