internal import Crypto
public import FoundationEssentials

/// A SHA-256 digest (FIPS 180-4): the name of a blob, a change set, a policy file or a piece of evidence.
///
/// Its text form, in JSON as well, is 64 lower-case hexadecimal digits.
public struct Digest: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The 32 bytes of the digest.
    public let bytes: Data

    /// Hashes `data`.
    public init(of data: some DataProtocol) {
        bytes = Data(SHA256.hash(data: data))
    }

    /// Takes 32 raw bytes; `nil` for any other count.
    public init?(bytes: Data) {
        guard bytes.count == 32 else { return nil }
        self.bytes = Data(bytes)
    }

    /// Reads 64 hexadecimal digits; upper case is refused, so that a digest has one spelling.
    public init?(hex: String) {
        guard hex.utf8.count == 64, !hex.utf8.contains(where: { (65...70).contains($0) }),
            let decoded = Data(hexadecimal: hex)
        else { return nil }
        bytes = decoded
    }

    init(_ digest: SHA256.Digest) {
        bytes = Data(digest)
    }

    /// 64 lower-case hexadecimal digits.
    public var hex: String { bytes.hexadecimal }

    /// The first 12 digits, for people; never for comparison.
    public var short: String { String(hex.prefix(12)) }

    public var description: String { hex }

    public static func < (left: Digest, right: Digest) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }
}

extension Digest: Codable {
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let digest = Digest(hex: text) else {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: decoder.codingPath,
                    debugDescription:
                        "Expected a SHA-256 digest of 64 lower-case hexadecimal digits, found “\(text.prefix(80))”."))
        }
        self = digest
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(hex)
    }
}

/// Hashes a stream piece by piece with SHA-256, in constant memory.
public struct StreamingDigest: Sendable {
    private var state = SHA256()

    public init() {}

    /// Adds bytes.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        state.update(bufferPointer: bytes)
    }

    /// Adds bytes.
    public mutating func update(_ data: some DataProtocol) {
        state.update(data: data)
    }

    /// The digest of all bytes added so far.
    public func finish() -> Digest {
        Digest(state.finalize())
    }
}
