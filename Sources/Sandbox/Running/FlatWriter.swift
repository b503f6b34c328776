internal import FoundationEssentials

/// Builds the flat structures that C reads: a fixed head, then arrays and strings behind it, referred to by offset.
struct FlatWriter {
    private(set) var bytes: [UInt8]

    init(head: Int) { bytes = [UInt8](repeating: 0, count: head) }

    /// Appends a NUL-terminated string; its offset.
    mutating func string(_ text: String) -> UInt32 {
        let offset = UInt32(bytes.count)
        bytes.append(contentsOf: text.utf8)
        bytes.append(0)
        return offset
    }

    /// Appends values in their memory layout, 8-byte aligned; the offset of the first.
    mutating func array<Value: BitwiseCopyable>(_ values: [Value]) -> UInt32 {
        while bytes.count % 8 != 0 { bytes.append(0) }
        let offset = UInt32(bytes.count)
        values.withUnsafeBytes { bytes.append(contentsOf: $0) }
        return offset
    }

    /// Puts the head in its place, once every offset is known.
    mutating func head<Value: BitwiseCopyable>(_ value: Value) {
        withUnsafeBytes(of: value) { head in
            for index in head.indices { bytes[index] = head[index] }
        }
    }

    var data: Data { Data(bytes) }
}
