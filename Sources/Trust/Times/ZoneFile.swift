internal import FoundationEssentials

/// A compiled zone of the IANA database: TZif, RFC 8536.
struct ZoneFile: Sendable, Hashable {
    private var transitions: [Int] = []
    /// The offset from each transition on.
    private var offsets: [Int] = []
    /// Before the first transition.
    private var first = 0
    /// After the last one.
    private var rule: PosixZone?

    /// `nil` when the bytes are not a whole TZif file.
    init?(_ data: Data) {
        let bytes = Array(data)
        guard let header = Header(bytes, at: 0) else { return nil }
        if header.version >= 2 {
            // The first block serves readers with 32-bit times; the same again with 64 bits follows.
            let start = 44 + header.length(timeSize: 4)
            guard let second = Header(bytes, at: start) else { return nil }
            guard let end = read(bytes, second, at: start + 44, timeSize: 8) else { return nil }
            guard end < bytes.count, bytes[end] == 10, let close = bytes[(end + 1)...].firstIndex(of: 10) else {
                return nil
            }
            let footer = String(decoding: bytes[(end + 1)..<close], as: UTF8.self)
            if !footer.isEmpty {
                guard let parsed = PosixZone(footer) else { return nil }
                rule = parsed
            }
        } else {
            guard read(bytes, header, at: 44, timeSize: 4) != nil else { return nil }
        }
    }

    func offset(at seconds: Int) -> Int {
        guard let last = transitions.last else { return rule?.offset(at: seconds) ?? first }
        if seconds >= last, let rule { return rule.offset(at: seconds) }
        var low = 0
        var high = transitions.count
        while low < high {
            let middle = (low + high) / 2
            if transitions[middle] <= seconds { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? first : offsets[low - 1]
    }

    private struct Header {
        var version: Int
        var isUTCount, isStandardCount, leaps, times, types, characters: Int

        init?(_ bytes: [UInt8], at start: Int) {
            guard start >= 0, bytes.count >= start + 44, bytes[start..<(start + 4)].elementsEqual("TZif".utf8) else {
                return nil
            }
            let mark = bytes[start + 4]
            version = mark == 0 ? 1 : Int(mark) - 48
            let counts = (0..<6).map { ZoneFile.integer(bytes, at: start + 20 + 4 * $0, size: 4) }
            guard counts.allSatisfy({ (0...1_000_000).contains($0) }) else { return nil }
            (isUTCount, isStandardCount, leaps, times, types, characters) = (
                counts[0], counts[1], counts[2], counts[3], counts[4], counts[5]
            )
            guard types >= 1 else { return nil }
        }

        func length(timeSize: Int) -> Int {
            times * timeSize + times + types * 6 + characters + leaps * (timeSize + 4) + isStandardCount + isUTCount
        }
    }

    /// Takes one data block; the place after it, or `nil` when it is cut short or contradicts itself.
    private mutating func read(_ bytes: [UInt8], _ header: Header, at start: Int, timeSize: Int) -> Int? {
        let end = start + header.length(timeSize: timeSize)
        guard end <= bytes.count else { return nil }
        let indexes = start + header.times * timeSize
        let types = indexes + header.times
        let typeOffsets = (0..<header.types).map { Self.integer(bytes, at: types + 6 * $0, size: 4) }
        var standard = 0
        while standard < header.types, bytes[types + 6 * standard + 4] != 0 { standard += 1 }
        if standard == header.types { standard = 0 }
        first = typeOffsets[header.times > 0 ? 0 : standard]
        for index in 0..<header.times {
            let type = Int(bytes[indexes + index])
            guard type < typeOffsets.count else { return nil }
            transitions.append(Self.integer(bytes, at: start + index * timeSize, size: timeSize))
            offsets.append(typeOffsets[type])
        }
        guard zip(transitions, transitions.dropFirst()).allSatisfy({ $0 < $1 }) else { return nil }
        return end
    }

    /// Big-endian, two's complement.
    private static func integer(_ bytes: [UInt8], at place: Int, size: Int) -> Int {
        let raw = bytes[place..<(place + size)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return size == 4 ? Int(Int32(truncatingIfNeeded: raw)) : Int(Int64(bitPattern: raw))
    }
}
