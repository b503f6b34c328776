public import FoundationEssentials

private let hexadecimalDigits = Array("0123456789abcdef".utf8)
private let base64Digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

extension Data {
    /// Lower-case hexadecimal digits, two a byte.
    public var hexadecimal: String {
        var text: [UInt8] = []
        text.reserveCapacity(count * 2)
        for byte in self {
            text.append(hexadecimalDigits[Int(byte >> 4)])
            text.append(hexadecimalDigits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Reads hexadecimal digits of either case; `nil` when the count is odd or another character occurs.
    public init?(hexadecimal text: some StringProtocol) {
        var result = Data(capacity: text.utf8.count / 2)
        var high: UInt8?
        for character in text.utf8 {
            let value: UInt8
            switch character {
            case 48...57: value = character - 48
            case 97...102: value = character - 87
            case 65...70: value = character - 55
            default: return nil
            }
            if let first = high {
                result.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        guard high == nil else { return nil }
        self = result
    }

    /// Base64 with the URL-safe alphabet and no padding (RFC 4648, section 5).
    public var base64URL: String {
        var text: [UInt8] = []
        text.reserveCapacity((count * 4 + 2) / 3)
        var bits: UInt32 = 0
        var held = 0
        for byte in self {
            bits = bits << 8 | UInt32(byte)
            held += 8
            while held >= 6 {
                held -= 6
                text.append(base64Digits[Int(bits >> UInt32(held) & 63)])
            }
        }
        if held > 0 { text.append(base64Digits[Int(bits << UInt32(6 - held) & 63)]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// Reads base64url without padding; `nil` for anything else, the standard alphabet included.
    public init?(base64URL text: String) {
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count * 3 / 4)
        var bits: UInt32 = 0
        var held = 0
        for digit in text.utf8 {
            let value: UInt32
            switch digit {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = UInt32(digit - 65)
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = UInt32(digit - 71)
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = UInt32(digit + 4)
            case UInt8(ascii: "-"): value = 62
            case UInt8(ascii: "_"): value = 63
            default: return nil
            }
            bits = bits << 6 | value
            held += 6
            if held >= 8 {
                held -= 8
                result.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
            }
        }
        // A lone last digit stands for no byte; and bits beyond the last whole byte would give the same bytes a second spelling
        // (RFC 4648, section 3.5).
        guard held < 6, bits & (1 << UInt32(held) - 1) == 0 else { return nil }
        self.init(result)
    }
}
