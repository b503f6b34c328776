/// The statements that made a SQLite database's tables, indices, views and triggers, read from its first b-tree
/// (https://www.sqlite.org/fileformat.html); no SQLite library opens a file that a change may have prepared for it.
///
/// What only a write-ahead log holds is not seen.
struct SQLiteSchema {
    /// By “table users”, “index users_email”.
    private(set) var statements: [String: String] = [:]
    private let bytes: [UInt8]
    private let pageSize: Int
    private let usable: Int

    /// `nil` where it is no SQLite database, or a damaged one.
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= 512, bytes.starts(with: Array("SQLite format 3\0".utf8)) else { return nil }
        self.bytes = bytes
        let size = Int(bytes[16]) << 8 | Int(bytes[17])
        pageSize = size == 1 ? 65536 : size
        usable = pageSize - Int(bytes[20])
        guard pageSize >= 512, usable >= 480 else { return nil }
        var visited: Set<Int> = []
        guard read(page: 1, &visited) else { return nil }
    }

    private func number(_ offset: Int, _ size: Int) -> Int? {
        guard offset >= 0, offset + size <= bytes.count else { return nil }
        return bytes[offset..<offset + size].reduce(0) { $0 << 8 | Int($1) }
    }

    /// A variable-length integer and where it ends.
    private static func varint(_ bytes: some RandomAccessCollection<UInt8>, _ offset: Int) -> (Int, Int)? {
        var value: UInt64 = 0
        for index in 0..<9 {
            guard offset + index < bytes.count else { return nil }
            let byte = bytes[bytes.index(bytes.startIndex, offsetBy: offset + index)]
            if index == 8 { value = value << 8 | UInt64(byte) } else { value = value << 7 | UInt64(byte & 0x7f) }
            if byte < 0x80 || index == 8 { return (Int(truncatingIfNeeded: value), offset + index + 1) }
        }
        return nil
    }

    private mutating func read(page: Int, _ visited: inout Set<Int>) -> Bool {
        guard page > 0, visited.insert(page).inserted, visited.count < 10_000, page <= bytes.count / pageSize else {
            return false
        }
        let start = (page - 1) * pageSize
        let header = start + (page == 1 ? 100 : 0)
        guard let type = number(header, 1), let cells = number(header + 3, 2), type == 5 || type == 13 else {
            return false
        }
        let pointers = header + (type == 5 ? 12 : 8)
        for index in 0..<cells {
            guard let pointer = number(pointers + 2 * index, 2) else { return false }
            if type == 5 {
                guard let child = number(start + pointer, 4), read(page: child, &visited) else { return false }
            } else if !readCell(start + pointer) {
                return false
            }
        }
        guard type == 5 else { return true }
        guard let right = number(header + 8, 4) else { return false }
        return read(page: right, &visited)
    }

    private mutating func readCell(_ offset: Int) -> Bool {
        guard let (size, next) = Self.varint(bytes, offset), let (_, begin) = Self.varint(bytes, next),
            let payload = payload(size, begin), let (length, first) = Self.varint(payload, 0)
        else { return false }
        var (types, place): ([Int], Int) = ([], first)
        while place < length {
            guard let (type, after) = Self.varint(payload, place) else { return false }
            types.append(type)
            place = after
        }
        guard types.count >= 5 else { return false }
        var values: [String] = []
        place = length
        for type in types {
            let size = type >= 12 ? (type - 12) / 2 : [0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0][max(0, type)]
            guard size >= 0, size <= payload.count - place else { return false }
            values.append(type >= 13 ? TextEscaping.line(payload[place..<place + size]) : "")
            place += size
        }
        statements["\(values[0]) \(values[1])"] = values[4]
        return true
    }

    /// A cell's content with its overflow pages.
    private func payload(_ size: Int, _ begin: Int) -> [UInt8]? {
        guard size >= 0, size < 1 << 24 else { return nil }
        let most = usable - 35
        let least = (usable - 12) * 32 / 255 - 23
        let kept = least + (size - least) % (usable - 4)
        let local = size <= most ? size : kept <= most ? kept : least
        guard begin + local <= bytes.count else { return nil }
        var result = Array(bytes[begin..<begin + local])
        guard local < size, var page = number(begin + local, 4) else { return result.count == size ? result : nil }
        var visited: Set<Int> = []
        while result.count < size {
            let start = (page - 1) * pageSize
            guard page > 0, visited.insert(page).inserted, let next = number(start, 4) else { return nil }
            let count = min(usable - 4, size - result.count)
            guard start + 4 + count <= bytes.count else { return nil }
            result += bytes[start + 4..<start + 4 + count]
            page = next
        }
        return result
    }

    /// What differs, one line an object.
    static func difference(old: SQLiteSchema?, new: SQLiteSchema?) -> [String] {
        let (before, after) = (old?.statements ?? [:], new?.statements ?? [:])
        return Set(before.keys).union(after.keys).sorted().compactMap { name in
            switch (before[name], after[name]) {
            case (nil, let sql?): "schema: added \(name): \(sql)"
            case (_?, nil): "schema: dropped \(name)"
            case (let old?, let new?) where old != new: "schema: changed \(name): \(new)"
            default: nil
            }
        }
    }
}
