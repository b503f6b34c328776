internal import Documents
internal import FoundationEssentials
internal import Linux

extension ChangeSet {
    /// One line an entry, for people: what happened, the path with control characters escaped, and the new mode and owner
    /// where they matter. “modified /etc/x (1.2 KiB)”, “added /srv/run → /run/app (link)”.
    public var summary: [String] {
        changes.map { change in
            let path = TextEscaping.path(change.path)
            var notes: [String] = []
            switch change.type {
            case .file: if let size = change.size { notes.append(Self.text(bytes: size)) }
            case .symlink:
                // A deletion and a change of metadata don't say where it led.
                notes.append(
                    change.linkTarget.map { "link to " + TextEscaping.path(BytePath(bytes: Array($0))) } ?? "link")
            case .device: notes.append(change.device.map { "device \($0.text): cannot be promoted" } ?? "device")
            case .directory, .fifo, .socket: notes.append(change.type.rawValue)
            }
            if change.kind == .metadata || change.mode & 0o7000 != 0 {
                notes.append("mode \(Self.octal(change.mode)), owner \(change.uid):\(change.gid)")
            }
            for name in change.xattrs.keys.sorted() { notes.append("with " + TextEscaping.line(name.utf8)) }
            if let group = change.hardLinkGroup { notes.append("hard link \(group)") }
            return "\(Self.verb(change.kind)) \(path)" + (notes.isEmpty ? "" : " (\(notes.joined(separator: ", ")))")
        }
    }

    private static func verb(_ kind: Change.Kind) -> String {
        switch kind {
        case .create: "added"
        case .modify: "modified"
        case .delete: "deleted"
        case .replace: "replaced"
        case .metadata: "changed metadata of"
        }
    }

    static func octal(_ mode: UInt32) -> String {
        let text = String(mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - text.count)) + text
    }

    /// “640 bytes”, “1.2 KiB”, rounded down.
    static func text(bytes: Int64) -> String {
        var value = bytes
        var tenths: Int64 = 0
        var unit = "bytes"
        for next in ["KiB", "MiB", "GiB", "TiB"] where value >= 1024 {
            tenths = value % 1024 * 10 / 1024
            value /= 1024
            unit = next
        }
        return unit == "bytes" ? "\(value) bytes" : "\(value).\(tenths) \(unit)"
    }
}
