internal import FoundationEssentials
internal import Glibc

/// One line of allowed_signers: `principals [options] type base64 [comment]` (parse_principals_key_and_options and
/// sshsigopt_parse in OpenSSH's sshsig.c).
struct AllowedSignerLine {
    let principals: String
    /// Nil for a key type that is well-formed but not verified here.
    private(set) var key: SSHPublicKey?
    private(set) var keyType = ""
    private(set) var namespaces: String?
    private(set) var validAfter: Date?
    private(set) var validBefore: Date?

    /// Key types of OpenSSH that Grace does not verify.
    private static let otherTypes: Set<String> = [
        "ssh-rsa", "ssh-dss", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
    ]

    /// `line` is trimmed and not a comment.
    init(_ line: String) throws {
        var rest = Array(line.utf8)[...]
        principals = try Self.principals(&rest)
        Self.skipSpace(&rest)
        if !Self.beginsWithKeyType(rest) {
            let options = try Self.options(&rest)
            Self.skipSpace(&rest)
            for (name, value) in options { try apply(option: name, value: value) }
            if let validAfter, let validBefore, validBefore <= validAfter {
                throw AllowedSignerProblem("valid-before is not later than valid-after.")
            }
        }
        let words = rest.split(whereSeparator: Self.isSpace).map { String(decoding: $0, as: UTF8.self) }
        guard words.count >= 2 else {
            throw AllowedSignerProblem("there is no key: a line reads principals [options] type base64 [comment].")
        }
        let type = words[0]
        keyType = type
        guard Data(base64Encoded: words[1]) != nil else {
            throw AllowedSignerProblem("the key's second word is not base64.")
        }
        key = Self.otherTypes.contains(type) ? nil : try SSHPublicKey(parsing: type + " " + words[1])
    }

    private static func principals(_ rest: inout ArraySlice<UInt8>) throws -> String {
        let quote = UInt8(ascii: "\"")
        let word: ArraySlice<UInt8>
        if rest.first == quote {
            rest = rest.dropFirst()
            guard let close = rest.firstIndex(of: quote) else {
                throw AllowedSignerProblem("the quote before the principals is not closed.")
            }
            word = rest[..<close]
            rest = rest[(close + 1)...]
        } else {
            let end = rest.firstIndex(where: isSpace) ?? rest.endIndex
            word = rest[..<end]
            rest = rest[end...]
        }
        guard !word.isEmpty, !word.contains(quote) else {
            throw AllowedSignerProblem("the principals are empty or hold a stray quote.")
        }
        return String(decoding: word, as: UTF8.self)
    }

    private static func beginsWithKeyType(_ rest: ArraySlice<UInt8>) -> Bool {
        let word = String(decoding: rest.prefix(while: { !isSpace($0) }), as: UTF8.self)
        return SSHPublicKey.Kind(rawValue: word) != nil || otherTypes.contains(word)
    }

    /// Comma-separated `name` or `name="value"`, up to white space outside quotes; `\"` inside quotes is a quote.
    private static func options(_ rest: inout ArraySlice<UInt8>) throws -> [(name: String, value: String?)] {
        var options: [(String, String?)] = []
        while true {
            let end =
                rest.firstIndex { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "=") || isSpace($0) } ?? rest.endIndex
            let name = String(decoding: rest[..<end], as: UTF8.self).lowercased()
            rest = rest[end...]
            var value: String?
            if rest.first == UInt8(ascii: "=") {
                rest = rest.dropFirst()
                value = try quoted(&rest, of: name)
            }
            options.append((name, value))
            guard rest.first == UInt8(ascii: ",") else { break }
            rest = rest.dropFirst()
        }
        guard rest.first.map(isSpace) ?? true else {
            throw AllowedSignerProblem("after the options there must be a space and the key.")
        }
        return options
    }

    private static func quoted(_ rest: inout ArraySlice<UInt8>, of name: String) throws -> String {
        let quote = UInt8(ascii: "\""), backslash = UInt8(ascii: "\\")
        guard rest.first == quote else {
            throw AllowedSignerProblem("the value of \(name) must stand in double quotes.")
        }
        rest = rest.dropFirst()
        var value: [UInt8] = []
        while let byte = rest.first {
            rest = rest.dropFirst()
            if byte == quote { return String(decoding: value, as: UTF8.self) }
            if byte == backslash, rest.first == quote {
                rest = rest.dropFirst()
                value.append(quote)
            } else {
                value.append(byte)
            }
        }
        throw AllowedSignerProblem("the quotes of \(name) are not closed.")
    }

    private mutating func apply(option name: String, value: String?) throws {
        switch (name, value) {
        case ("cert-authority", _):
            throw AllowedSignerProblem("certificate authorities are not accepted: list each person's own key.")
        case ("namespaces", let value?):
            guard namespaces == nil else { throw AllowedSignerProblem("namespaces stands here twice.") }
            namespaces = value
        case ("valid-after", let value?):
            guard validAfter == nil else { throw AllowedSignerProblem("valid-after stands here twice.") }
            validAfter = try Self.time(value, of: name)
        case ("valid-before", let value?):
            guard validBefore == nil else { throw AllowedSignerProblem("valid-before stands here twice.") }
            validBefore = try Self.time(value, of: name)
        default:
            throw AllowedSignerProblem(
                "\"\(name.prefix(60))\" is neither a key type nor an option with its value: "
                    + "known are namespaces=\"…\", valid-after=\"…\" and valid-before=\"…\".")
        }
    }

    /// `YYYYMMDD[HHMM[SS]][Z]`, in the host's time zone without the Z (parse_absolute_time in OpenSSH's misc.c).
    private static func time(_ text: String, of name: String) throws -> Date {
        let utc = text.hasSuffix("Z") || text.hasSuffix("z")
        let digits = Array(text.utf8.dropLast(utc ? 1 : 0))
        let problem = AllowedSignerProblem(
            "\"\(text)\" for \(name) is no time of the form YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, with Z for UTC.")
        guard [8, 12, 14].contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw problem
        }
        func number(_ range: Range<Int>) -> Int32 {
            range.upperBound <= digits.count ? digits[range].reduce(0) { $0 * 10 + Int32($1 - 0x30) } : 0
        }
        var parts = tm()
        (parts.tm_year, parts.tm_mon, parts.tm_mday) = (number(0..<4) - 1900, number(4..<6) - 1, number(6..<8))
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (number(8..<10), number(10..<12), number(12..<14))
        parts.tm_isdst = -1
        guard (0...11).contains(parts.tm_mon), (1...31).contains(parts.tm_mday), parts.tm_hour < 24, parts.tm_min < 60,
            parts.tm_sec < 61
        else { throw problem }
        let seconds = utc ? timegm(&parts) : mktime(&parts)
        guard seconds >= 0 else { throw problem }
        return Date(timeIntervalSince1970: Double(seconds))
    }

    private static func skipSpace(_ rest: inout ArraySlice<UInt8>) {
        rest = rest.drop(while: isSpace)
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }
}
