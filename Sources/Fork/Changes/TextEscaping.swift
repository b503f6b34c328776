internal import Linux

/// Makes bytes that a mission's author controls harmless to look at.
///
/// A file's name or content can hold terminal control sequences (a review could show something other than what is
/// there) and Unicode characters that reorder or hide text (CVE-2021-42574). Each is shown as what it is.
enum TextEscaping {
    /// One line of text, without its line feed. Tabs stay.
    static func line(_ bytes: some Sequence<UInt8>) -> String {
        escape(Array(bytes), keepingTabs: true)
    }

    /// A path: tabs and line feeds are escaped too, and a backslash is doubled, so that two paths never look the same.
    static func path(_ path: BytePath) -> String {
        // Nearly every path: printable ASCII, which stays as it is.
        if path.bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\\") }) {
            return String(decoding: path.bytes, as: UTF8.self)
        }
        return escape(path.bytes.flatMap { $0 == UInt8(ascii: "\\") ? [$0, $0] : [$0] }, keepingTabs: false)
    }

    private static func escape(_ bytes: [UInt8], keepingTabs: Bool) -> String {
        var result = ""
        result.reserveCapacity(bytes.count)
        var rest = bytes[...]
        while let first = rest.first {
            if first < 0x80 {
                rest.removeFirst()
                if first >= 0x20 && first != 0x7f || first == 0x09 && keepingTabs {
                    result.unicodeScalars.append(Unicode.Scalar(first))
                } else {
                    result += hex(first)
                }
            } else if let (scalar, length) = decode(rest) {
                rest.removeFirst(length)
                if isDeceptive(scalar) {
                    result += "\\u{" + String(scalar.value, radix: 16) + "}"
                } else {
                    result.unicodeScalars.append(scalar)
                }
            } else {
                rest.removeFirst()
                result += hex(first)
            }
        }
        return result
    }

    private static func hex(_ byte: UInt8) -> String {
        let digits = Array("0123456789abcdef")
        return "\\x" + String(digits[Int(byte >> 4)]) + String(digits[Int(byte & 15)])
    }

    /// Strict UTF-8 (RFC 3629): no overlong forms, no surrogates.
    private static func decode(_ bytes: ArraySlice<UInt8>) -> (Unicode.Scalar, Int)? {
        guard let first = bytes.first else { return nil }
        let length = first >= 0xf0 && first <= 0xf4 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0
        guard length > 0, first <= 0xf4, bytes.count >= length else { return nil }
        var value = UInt32(first) & (0x7f >> UInt32(length))
        for byte in bytes.dropFirst().prefix(length - 1) {
            guard byte & 0xc0 == 0x80 else { return nil }
            value = value << 6 | UInt32(byte & 0x3f)
        }
        let least: UInt32 = length == 4 ? 0x10000 : length == 3 ? 0x800 : 0x80
        guard value >= least, let scalar = Unicode.Scalar(value) else { return nil }
        return (scalar, length)
    }

    /// Controls of the second block, and what has no width or changes the direction of the text around it. A fixed list
    /// instead of Unicode's properties: manifests hold escaped paths, and another version of Unicode must not change a digest.
    private static func isDeceptive(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x80...0x9f, 0xad, 0x34f, 0x600...0x605, 0x61c, 0x6dd, 0x70f, 0x890...0x891, 0x8e2, 0x115f...0x1160,
            0x17b4...0x17b5, 0x180b...0x180f, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x206f, 0x3164,
            0xe000...0xf8ff,
            0xfe00...0xfe0f, 0xfeff, 0xffa0, 0xfff0...0xfffb, 0xfffe...0xffff, 0x1d173...0x1d17a, 0xe0000...0x10ffff:
            true
        default: false
        }
    }
}
