internal import Glibc

/// A path as the kernel has it: bytes, of any encoding, without NUL.
public struct BytePath: Sendable, Hashable, Comparable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The bytes, without the closing NUL.
    public let bytes: [UInt8]

    /// The path with just these bytes.
    public init(bytes: [UInt8]) { self.bytes = bytes }
    /// The path's UTF-8 bytes.
    public init(_ path: String) { bytes = Array(path.utf8) }
    /// The literal's UTF-8 bytes.
    public init(stringLiteral value: String) { self.init(value) }

    /// By bytes, unsigned: the order of change sets.
    public static func < (left: BytePath, right: BytePath) -> Bool {
        left.bytes.withUnsafeBufferPointer { left in
            right.bytes.withUnsafeBufferPointer { right in
                var order: Int32 = 0
                if let one = left.baseAddress, let other = right.baseAddress {
                    order = memcmp(one, other, min(left.count, right.count))
                }
                return order == 0 ? left.count < right.count : order < 0
            }
        }
    }

    /// For people: control characters, backslashes and bytes that are not UTF-8 as `\xHH`, everything else as it is.
    public var display: String { BytePath.display(bytes) }
    /// The same as ``display``.
    public var description: String { display }

    /// The path as a string where its bytes are UTF-8.
    public var string: String? { String(validating: bytes, as: UTF8.self) }

    /// `bytes` as ``display`` shows them: the longest valid pieces as text, every other byte escaped.
    public static func display(_ bytes: some Sequence<UInt8>) -> String {
        var rest = Array(bytes)[...]
        // Nearly every path: printable ASCII, which is shown as it is.
        if rest.allSatisfy({ $0 >= 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\\") }) {
            return String(decoding: rest, as: UTF8.self)
        }
        var result = ""
        while let first = rest.first {
            let length = first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
            let piece = rest.prefix(length)
            if piece.count == length, let text = String(validating: piece, as: UTF8.self) {
                let shown = text.unicodeScalars.allSatisfy { $0 != "\\" && !isInvisible($0) }
                result += shown ? text : piece.map(escape).joined()
                rest = rest.dropFirst(length)
            } else {
                result += escape(first)
                rest = rest.dropFirst()
            }
        }
        return result
    }

    /// Adds one name, with a `/` between where there is none yet.
    public func appending(_ name: [UInt8]) -> BytePath {
        let separated = bytes.isEmpty || bytes.last == UInt8(ascii: "/") || name.first == UInt8(ascii: "/")
        return BytePath(bytes: bytes + (separated ? [] : [UInt8(ascii: "/")]) + name)
    }
    /// Adds one name, with a `/` between where there is none yet.
    public func appending(_ name: String) -> BytePath { appending(Array(name.utf8)) }

    /// The names between the slashes; empty ones and `.` left out.
    public var components: [[UInt8]] {
        bytes.split(separator: UInt8(ascii: "/")).map(Array.init).filter { $0 != [UInt8(ascii: ".")] }
    }

    /// Whether it begins at the root.
    public var isAbsolute: Bool { bytes.first == UInt8(ascii: "/") }

    /// Where the last name begins, in a path that has names and no empty one and no `.` among them; `nil` for any other.
    private var lastOfPlain: Int? {
        let (slash, dot) = (UInt8(ascii: "/"), UInt8(ascii: "."))
        guard let end = bytes.last, end != slash else { return nil }
        return bytes.withUnsafeBufferPointer { bytes in
            let count = bytes.count
            var start = bytes[0] == slash ? 1 : 0
            var index = start
            while index <= count {
                if index == count || bytes[index] == slash {
                    if index == start || index == start + 1 && bytes[start] == dot { return nil }
                    if index < count { start = index + 1 }
                }
                index += 1
            }
            return start
        }
    }

    /// The path without its last name: `/` above `/a`, `.` above a lone name.
    public var parent: BytePath {
        if let last = lastOfPlain, last > 1 { return BytePath(bytes: Array(bytes[..<(last - 1)])) }
        let names = components.dropLast()
        if names.isEmpty { return isAbsolute ? "/" : "." }
        let joined = Array(names.joined(separator: [UInt8(ascii: "/")]))
        return BytePath(bytes: (isAbsolute ? [UInt8(ascii: "/")] : []) + joined)
    }

    /// The last name; empty for `/`.
    public var last: [UInt8] {
        if let last = lastOfPlain { return Array(bytes[last...]) }
        return components.last ?? []
    }

    /// Whether this is `other` or lies below it, by names.
    public func isInside(_ other: BytePath) -> Bool {
        if other.bytes == [UInt8(ascii: "/")] { return isAbsolute }
        if lastOfPlain != nil, other.lastOfPlain != nil {
            let count = other.bytes.count
            return bytes.starts(with: other.bytes) && (bytes.count == count || bytes[count] == UInt8(ascii: "/"))
        }
        return isAbsolute == other.isAbsolute && components.starts(with: other.components)
    }

    /// Runs `body` with the NUL-terminated bytes.
    ///
    /// - Throws: `SystemError` EINVAL where a byte is NUL (the kernel would see a shorter path), and what `body` throws.
    public func withCString<T>(_ body: (UnsafePointer<CChar>) throws -> T) throws -> T {
        guard !bytes.contains(0) else { throw SystemError(call: "path", subject: display, code: 22) }
        return try withUnsafeTemporaryAllocation(of: CChar.self, capacity: bytes.count + 1) { buffer in
            guard let base = buffer.baseAddress else { throw SystemError(call: "path", subject: display, code: 22) }
            for (index, byte) in bytes.enumerated() { base[index] = CChar(bitPattern: byte) }
            base[bytes.count] = 0
            return try body(base)
        }
    }
}

extension BytePath {
    private static func escape(_ byte: UInt8) -> String {
        let digits = Array("0123456789abcdef")
        return "\\x\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
    }

    /// Scalars that a terminal acts upon or doesn't show: C1 controls, DEL, direction marks, joiners, line separators.
    private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned: true
        default: false
        }
    }
}

/// What names a file: a `String` or a ``BytePath``. Every function of ``Files`` takes either.
public protocol FilePath {
    /// The bytes handed to the kernel.
    var bytePath: BytePath { get }
}

extension String: FilePath {
    /// The string's UTF-8 bytes.
    public var bytePath: BytePath { BytePath(self) }
}

extension BytePath: FilePath {
    /// Itself.
    public var bytePath: BytePath { self }
}
