internal import CLinux
internal import Glibc

/// An IPv4 or IPv6 address, without zone.
public struct IPAddress: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Four or sixteen bytes, network order.
    public let bytes: [UInt8]

    public var isIPv6: Bool { bytes.count == 16 }

    /// An address of four or sixteen bytes; `nil` for any other count. An IPv4 address mapped into IPv6 becomes IPv4.
    public init?(bytes: [UInt8]) {
        if bytes.count == 16, bytes.prefix(12) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255] {
            self.bytes = Array(bytes.suffix(4))
        } else if bytes.count == 4 || bytes.count == 16 {
            self.bytes = bytes
        } else {
            return nil
        }
    }

    /// Reads `192.0.2.1` or `2001:db8::1`.
    public init?(_ text: String) {
        var raw = [UInt8](repeating: 0, count: 16)
        let isIPv6 = text.contains(":")
        guard !text.utf8.contains(0), inet_pton(isIPv6 ? AF_INET6 : AF_INET, text, &raw) == 1 else { return nil }
        self.init(bytes: isIPv6 ? raw : Array(raw.prefix(4)))
    }

    public var description: String {
        var text = [CChar](repeating: 0, count: 64)
        guard inet_ntop(isIPv6 ? AF_INET6 : AF_INET, bytes, &text, 64) != nil else { return "?" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    public static func < (left: IPAddress, right: IPAddress) -> Bool {
        if left.bytes.count != right.bytes.count { return left.bytes.count < right.bytes.count }
        return left.bytes.lexicographicallyPrecedes(right.bytes)
    }
}

/// A block of addresses: `10.0.0.0/8`.
public struct IPNetwork: Hashable, Sendable, CustomStringConvertible {
    /// The first address of the block.
    public let address: IPAddress
    public let prefix: Int

    /// A block, or a single address. `nil` where the text is none, or where address bits are set behind the prefix.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, parts.count <= 2, let address = IPAddress(String(first)) else { return nil }
        let width = address.bytes.count * 8
        var prefix = width
        if parts.count == 2 {
            guard let number = Int(parts[1]), (0...width).contains(number), String(number) == parts[1],
                !(first.contains(":") && !address.isIPv6)
            else { return nil }
            prefix = number
        }
        self.address = address
        self.prefix = prefix
        guard Self.masked(address.bytes, prefix) == address.bytes else { return nil }
    }

    /// Whether it is one address alone.
    public var isSingle: Bool { prefix == address.bytes.count * 8 }

    public func contains(_ other: IPAddress) -> Bool {
        other.bytes.count == address.bytes.count && Self.masked(other.bytes, prefix) == address.bytes
    }

    public func contains(_ other: IPNetwork) -> Bool { other.prefix >= prefix && contains(other.address) }

    public var description: String { isSingle ? "\(address)" : "\(address)/\(prefix)" }

    private static func masked(_ bytes: [UInt8], _ prefix: Int) -> [UInt8] {
        bytes.enumerated().map { index, byte in
            let bits = max(0, min(8, prefix - index * 8))
            return bits == 0 ? 0 : byte & (0xff << UInt8(8 - bits))
        }
    }
}

/// An address and a port.
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    public var address: IPAddress
    public var port: UInt16

    public init(_ address: IPAddress, _ port: UInt16) {
        self.address = address
        self.port = port
    }

    public var description: String { address.isIPv6 ? "[\(address)]:\(port)" : "\(address):\(port)" }

    var kernel: clinux_endpoint {
        var raw = clinux_endpoint()
        raw.version = address.isIPv6 ? 6 : 4
        raw.port = port
        withUnsafeMutableBytes(of: &raw.bytes) { $0.copyBytes(from: address.bytes) }
        return raw
    }

    init?(_ raw: clinux_endpoint) {
        let bytes = withUnsafeBytes(of: raw.bytes) { Array($0.prefix(raw.version == 4 ? 4 : 16)) }
        guard let address = IPAddress(bytes: bytes) else { return nil }
        self.init(address, raw.port)
    }
}
