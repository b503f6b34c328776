internal import Linux

/// The little of DNS (RFC 1035) that a filtering resolver needs: one question, and address records.
///
/// Nothing that a sandbox or a name server sent is ever passed on as it came: questions and answers are both written anew from what
/// was understood of them.
enum DNSMessage {
    enum Kind {
        static let a: UInt16 = 1
        static let cname: UInt16 = 5
        static let aaaa: UInt16 = 28
    }
    enum Code {
        static let none: UInt8 = 0
        static let format: UInt8 = 1
        static let failure: UInt8 = 2
        static let noName: UInt8 = 3
        static let notImplemented: UInt8 = 4
        static let refused: UInt8 = 5
    }

    struct Question: Equatable {
        var id: UInt16
        /// Lower case, without the root's dot; `nil` for a name that no rule can have.
        var name: String?
        var kind: UInt16
        var recursion: Bool
        /// The question section as it came, for echoing: programs compare it byte by byte.
        var section: [UInt8]
    }

    struct Answer: Equatable {
        var code: UInt8
        var isTruncated: Bool
        var addresses: [IPAddress]
        /// The least time to live on the way to the addresses, seconds.
        var life: UInt32
    }

    /// A query with exactly one question of class IN; `nil` for anything else.
    static func question(_ bytes: [UInt8]) -> Question? {
        var reader = Reader(bytes)
        guard let id = reader.short(), let flags = reader.short(), flags & 0xf800 == 0, reader.short() == 1,
            reader.short() == 0, reader.short() == 0, reader.short() != nil
        else { return nil }
        let start = reader.place
        guard let labels = reader.labels(pointers: false), let kind = reader.short(), reader.short() == 1 else {
            return nil
        }
        return Question(
            id: id, name: name(labels), kind: kind, recursion: flags & 0x0100 != 0,
            section: Array(bytes[start..<reader.place]))
    }

    /// A question of ours.
    static func query(id: UInt16, name: String, kind: UInt16) -> [UInt8] {
        var result = short(id) + short(0x0100) + short(1) + short(0) + short(0) + short(0)
        for label in name.split(separator: ".") {
            result.append(UInt8(label.utf8.count))
            result += label.utf8
        }
        return result + [0] + short(kind) + short(1)
    }

    /// What a name server answered to ``query(id:name:kind:)``: the addresses at the end of the chain of aliases that begins at the
    /// question's name. `nil` when it is no answer to that question.
    static func answer(_ bytes: [UInt8], id: UInt16, name asked: String, kind: UInt16) -> Answer? {
        var reader = Reader(bytes)
        guard reader.short() == id, let flags = reader.short(), flags & 0x8000 != 0, flags & 0x7800 == 0,
            reader.short() == 1, let count = reader.short(), reader.short() != nil, reader.short() != nil,
            let labels = reader.labels(pointers: true), name(labels) == asked, reader.short() == kind,
            reader.short() == 1
        else { return nil }
        var result = Answer(code: UInt8(flags & 15), isTruncated: flags & 0x0200 != 0, addresses: [], life: .max)
        if result.isTruncated { return result }
        var aliases: [String: (name: String, life: UInt32)] = [:]
        var found: [(name: String, address: IPAddress, life: UInt32)] = []
        for _ in 0..<min(count, 256) {
            guard let owner = reader.labels(pointers: true), let type = reader.short(), let family = reader.short(),
                let high = reader.short(), let low = reader.short(), let length = reader.short()
            else { return nil }
            let life = UInt32(high) << 16 | UInt32(low)
            let end = reader.place + Int(length)
            guard end <= bytes.count else { return nil }
            if family == 1, let owner = name(owner) {
                if type == kind, let address = IPAddress(bytes: Array(bytes[reader.place..<end])),
                    address.isIPv6 == (kind == Kind.aaaa)
                {
                    found.append((owner, address, life))
                } else if type == Kind.cname, let target = reader.labels(pointers: true), reader.place <= end,
                    let target = name(target)
                {
                    aliases[owner] = (target, life)
                }
            }
            reader.place = end
        }
        var current = asked
        for _ in 0..<16 {
            for record in found where record.name == current && !result.addresses.contains(record.address) {
                result.addresses.append(record.address)
                result.life = min(result.life, record.life)
            }
            guard result.addresses.isEmpty, let next = aliases[current] else { break }
            result.life = min(result.life, next.life)
            current = next.name
        }
        return result
    }

    /// The most addresses of one answer that fit into 512 bytes beside any question, with either kind of address.
    static let mostAddresses = 8

    static func reply(_ question: Question, code: UInt8, addresses: [IPAddress] = [], life: UInt32 = 0) -> [UInt8] {
        let flags: UInt16 = 0x8080 | (question.recursion ? 0x0100 : 0) | UInt16(code)
        var result = short(question.id) + short(flags) + short(1) + short(UInt16(addresses.count)) + short(0) + short(0)
        result += question.section
        for address in addresses {
            result += [0xc0, 12] + short(question.kind) + short(1) + short(UInt16(life >> 16))
            result += short(UInt16(life & 0xffff)) + short(UInt16(address.bytes.count)) + address.bytes
        }
        return result
    }

    private static func short(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }

    private static func name(_ labels: [[UInt8]]) -> String? {
        // A dot within a label would be another name once written down.
        guard !labels.isEmpty, labels.allSatisfy({ !$0.contains(46) }),
            let text = String(validating: Array(labels.joined(separator: [46])), as: UTF8.self)
        else { return nil }
        return DomainName.normal(text)
    }

    private struct Reader {
        let bytes: [UInt8]
        var place = 0

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        mutating func short() -> UInt16? {
            guard place + 2 <= bytes.count else { return nil }
            defer { place += 2 }
            return UInt16(bytes[place]) << 8 | UInt16(bytes[place + 1])
        }

        /// A name's labels. Pointers must lead backwards, so that reading ends.
        mutating func labels(pointers: Bool) -> [[UInt8]]? {
            var result: [[UInt8]] = []
            var position = place
            var after: Int?
            var limit = place
            var total = 0
            while true {
                guard position < bytes.count else { return nil }
                let length = Int(bytes[position])
                if length >= 0xc0 {
                    guard pointers, position + 1 < bytes.count else { return nil }
                    let target = (length & 0x3f) << 8 | Int(bytes[position + 1])
                    guard target < limit else { return nil }
                    after = after ?? position + 2
                    limit = target
                    position = target
                    continue
                }
                guard length < 0x40 else { return nil }
                if length == 0 {
                    place = after ?? position + 1
                    return result
                }
                total += length + 1
                guard position + 1 + length <= bytes.count, total <= 254 else { return nil }
                result.append(Array(bytes[position + 1...position + length]))
                position += length + 1
            }
        }
    }
}
