internal import FoundationEssentials

/// Reads SSH's wire encoding (RFC 4251 section 5). Every overrun throws; nothing is read past the end.
struct SSHWireReader {
    private let bytes: [UInt8]
    private var offset = 0
    private let what: String

    init(_ data: Data, what: String) {
        bytes = [UInt8](data)
        self.what = what
    }

    var isAtEnd: Bool { offset == bytes.count }

    mutating func raw(_ count: Int) throws -> Data {
        guard count <= bytes.count - offset else {
            throw LedgerError.ssh(what: what, why: "it ends in the middle of a field")
        }
        defer { offset += count }
        return Data(bytes[offset..<offset + count])
    }

    mutating func byte() throws -> UInt8 {
        try raw(1).first ?? 0
    }

    mutating func uint32() throws -> UInt32 {
        try raw(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    mutating func string() throws -> Data {
        try raw(Int(uint32()))
    }

    mutating func text() throws -> String {
        let data = try string()
        guard let text = String(validating: data, as: UTF8.self), !data.contains(0) else {
            throw LedgerError.ssh(what: what, why: "a name in it is not UTF-8 text")
        }
        return text
    }

    /// A positive mpint of at most `width` bytes, left-padded with zeros to `width`.
    mutating func unsigned(width: Int) throws -> Data {
        var number = try string()
        if let first = number.first, first & 0x80 != 0 {
            throw LedgerError.ssh(what: what, why: "a number in it is negative")
        }
        while number.first == 0 { number = Data(number.dropFirst()) }
        guard !number.isEmpty, number.count <= width else {
            throw LedgerError.ssh(what: what, why: "a number in it is zero or too large")
        }
        return Data(repeating: 0, count: width - number.count) + number
    }

    func end() throws {
        guard isAtEnd else { throw LedgerError.ssh(what: what, why: "\(bytes.count - offset) bytes follow its end") }
    }
}

/// Writes SSH's wire encoding.
struct SSHWireWriter {
    private(set) var data = Data()

    mutating func raw(_ bytes: some Sequence<UInt8>) { data.append(contentsOf: bytes) }

    mutating func uint32(_ value: UInt32) {
        for shift in [24, 16, 8, 0] as [UInt32] { data.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    mutating func string(_ bytes: Data) {
        uint32(UInt32(bytes.count))
        data.append(bytes)
    }

    mutating func string(_ text: String) { string(Data(text.utf8)) }
}
