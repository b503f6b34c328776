/// Where a C2SP tlog-tiles tile lies below a log's directory (or URL): `tile/0/x001/234`, `tile/entries/000.p/17`.
public struct Tile: Sendable, Hashable {
    /// A full tile holds 256 hashes or entries.
    public static let fullWidth = 256

    /// The level of hashes: 0 are leaf hashes, 1 the roots of full tiles of level 0 and so on; nil is an entry bundle.
    public let level: Int?
    /// Which tile of its level, from 0.
    public let index: UInt64
    /// 1…255 for a partial tile, 256 for a full one.
    public let width: Int

    /// Names a tile of hashes.
    public init(level: Int, index: UInt64, width: Int = fullWidth) {
        self.level = level
        self.index = index
        self.width = width
    }

    /// Names a bundle of entries.
    public init(entries index: UInt64, width: Int = fullWidth) {
        level = nil
        self.index = index
        self.width = width
    }

    /// Whether it still lacks hashes or entries.
    public var isPartial: Bool { width < Self.fullWidth }

    /// The path without the width: the full tile's.
    public var fullPath: String { "\(levelPath)/\(Self.path(of: index))" }

    /// The directory its partial versions lie in.
    public var partialDirectory: String { fullPath + ".p" }

    /// The path below the log's directory.
    public var path: String { isPartial ? "\(partialDirectory)/\(width)" : fullPath }

    /// The directory of its level.
    var levelPath: String { "tile/" + (level.map(String.init) ?? "entries") }

    /// `1234067` is `x001/x234/067` (tlog-tiles, "Merkle Tree").
    static func path(of index: UInt64) -> String {
        var parts = [padded(index % 1000)]
        var rest = index / 1000
        while rest > 0 {
            parts.append("x" + padded(rest % 1000))
            rest /= 1000
        }
        return parts.reversed().joined(separator: "/")
    }

    private static func padded(_ number: UInt64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: 3 - digits.count) + digits
    }
}
