/// What people know a program or library by: the build id, the name that others link against, and the machine.
///
/// Reads 64-bit little-endian ELF (gABI, chapter 4 and 5); anything else, or what leads outside the file, gives nothing.
struct ElfAccount: Equatable {
    var buildID: String?
    var soname: String?

    init?(_ bytes: [UInt8]) {
        guard bytes.count >= 64, bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46, 2, 1]) else { return nil }
        func number(_ offset: Int, _ size: Int) -> Int? {
            guard offset >= 0, offset <= bytes.count - size else { return nil }
            var value: UInt64 = 0
            for byte in bytes[offset..<offset + size].reversed() { value = value << 8 | UInt64(byte) }
            return Int(exactly: value)
        }
        guard let table = number(32, 8), let entry = number(54, 2), entry >= 56, let count = number(56, 2), count <= 512
        else {
            return
        }
        var loads: [(address: Int, offset: Int, size: Int)] = []
        var dynamic: (offset: Int, size: Int)?
        for index in 0..<count {
            let (start, overflow) = table.addingReportingOverflow(index * entry)
            guard !overflow, let type = number(start, 4), let offset = number(start + 8, 8),
                let address = number(start + 16, 8), let size = number(start + 32, 8), offset <= bytes.count,
                size <= bytes.count - offset
            else { continue }
            switch type {
            case 1: loads.append((address, offset, size))
            case 2: dynamic = (offset, size)
            case 4: buildID = buildID ?? Self.buildID(in: bytes[offset..<offset + size], number)
            default: break
            }
        }
        guard let dynamic else { return }
        var (name, strings): (Int?, Int?) = (nil, nil)
        for start in stride(from: dynamic.offset, to: dynamic.offset + dynamic.size - 15, by: 16) {
            switch number(start, 8) {
            case 14: name = number(start + 8, 8)  // DT_SONAME
            case 5: strings = number(start + 8, 8)  // DT_STRTAB, an address
            default: break
            }
        }
        guard let name, let strings,
            let load = loads.first(where: { $0.address <= strings && strings - $0.address < $0.size })
        else { return }
        let begin = load.offset + (strings - load.address)
        guard name < bytes.count - begin else { return }
        soname = TextEscaping.line(bytes[(begin + name)...].prefix(256).prefix { $0 != 0 })
    }

    /// The note of type 3 of “GNU”.
    private static func buildID(in notes: ArraySlice<UInt8>, _ number: (Int, Int) -> Int?) -> String? {
        var place = notes.startIndex
        while place + 16 <= notes.endIndex, let nameSize = number(place, 4), let size = number(place + 4, 4) {
            let start = place + 12 + (nameSize + 3) / 4 * 4
            guard start <= notes.endIndex, size <= notes.endIndex - start else { return nil }
            if number(place + 8, 4) == 3, nameSize == 4, notes[(place + 12)...].starts(with: [0x47, 0x4e, 0x55, 0]) {
                let digits = Array("0123456789abcdef")
                return String(notes[start..<start + size].flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
            }
            place = start + (size + 3) / 4 * 4
        }
        return nil
    }

    var text: String {
        ["ELF", soname.map { "soname \($0)" }, buildID.map { "build id \($0)" } ?? "no build id"].compactMap { $0 }
            .joined(separator: ", ")
    }
}
