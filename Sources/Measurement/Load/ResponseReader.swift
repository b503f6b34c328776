/// Reads one HTTP/1.1 response after another from a stream of bytes (RFC 9112), throwing its body away.
struct ResponseReader: Sendable {
    /// What was wrong with an answer.
    struct Malformed: Error, Equatable {
        var why: String
    }

    private enum State: Sendable, Equatable {
        case head
        case body(remaining: Int)
        case chunkSize
        case chunk(remaining: Int)
        case chunkEnd
        case trailer
        case untilClose
        case complete
    }

    /// The final status; 0 until its head was read.
    private(set) var status = 0
    /// Whether the connection may carry another request after this response.
    private(set) var keepAlive = true

    private var state = State.head
    private var line: [UInt8] = []
    private var headBytes = 0
    private var lines: [[UInt8]] = []
    private let hasBody: Bool

    /// A reader of the response to a request with this method.
    init(method: String) {
        hasBody = method != "HEAD"
    }

    /// True when the response has been read to its end.
    var isComplete: Bool { state == .complete }

    /// True before the first byte.
    var isUntouched: Bool { state == .head && headBytes == 0 }

    /// Takes bytes. Bytes beyond the response make the connection unfit for another request.
    mutating func take(_ bytes: UnsafeRawBufferPointer) throws(Malformed) {
        var index = 0
        while index < bytes.count {
            switch state {
            case .complete:
                keepAlive = false
                return
            case .untilClose:
                return
            case .body(let remaining):
                let step = min(remaining, bytes.count - index)
                index += step
                state = remaining == step ? .complete : .body(remaining: remaining - step)
            case .chunk(let remaining):
                let step = min(remaining, bytes.count - index)
                index += step
                state = remaining == step ? .chunkEnd : .chunk(remaining: remaining - step)
            case .head, .chunkSize, .chunkEnd, .trailer:
                let byte = bytes[index]
                index += 1
                headBytes += 1
                // Limits a server that never ends its head; chunk lines and trailers count towards it too, per line.
                guard headBytes <= 65536 else { throw Malformed(why: "its head is longer than 64 KiB") }
                if byte != 10 {
                    line.append(byte)
                    continue
                }
                if line.last == 13 { line.removeLast() }
                let whole = line
                line.removeAll(keepingCapacity: true)
                try take(line: whole)
            }
        }
    }

    /// The peer closed its side: the end of a response without a length, or a broken one.
    mutating func takeEnd() throws(Malformed) {
        keepAlive = false
        switch state {
        case .complete: return
        case .untilClose: state = .complete
        default:
            throw Malformed(
                why: isUntouched
                    ? "the connection was closed without an answer"
                    : "the connection was closed in the middle of the answer")
        }
    }

    private mutating func take(line: [UInt8]) throws(Malformed) {
        switch state {
        case .head:
            if !line.isEmpty {
                lines.append(line)
            } else if !lines.isEmpty {
                try takeHead()
            }
        case .chunkSize:
            headBytes = 0
            let digits = line.prefix { $0 != 59 && $0 != 32 && $0 != 9 }
            guard digits.count <= 15, let size = Int(String(decoding: digits, as: UTF8.self), radix: 16), size >= 0
            else {
                throw Malformed(why: "a chunk's size is no number")
            }
            state = size == 0 ? .trailer : .chunk(remaining: size)
        case .chunkEnd:
            headBytes = 0
            guard line.isEmpty else { throw Malformed(why: "a chunk is longer than its size") }
            state = .chunkSize
        case .trailer:
            if line.isEmpty { state = .complete }
        default:
            return
        }
    }

    private mutating func takeHead() throws(Malformed) {
        let head = lines.map { String(decoding: $0, as: UTF8.self) }
        lines = []
        headBytes = 0
        let first = head[0].split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard first.count >= 2, first[0].hasPrefix("HTTP/1."), first[1].utf8.count == 3, let code = Int(first[1]),
            (100...999).contains(code)
        else { throw Malformed(why: "it is no HTTP/1.1 answer") }
        if code < 200 && code != 101 { return }  // interim: the real answer follows
        status = code
        keepAlive = first[0] != "HTTP/1.0"
        var length: Int?
        var chunked = false
        for text in head.dropFirst() {
            guard let colon = text.firstIndex(of: ":") else { throw Malformed(why: "a header has no colon") }
            let name = text[..<colon].lowercased()
            let value = Self.trimmed(text[text.index(after: colon)...]).lowercased()
            switch name {
            case "content-length":
                guard value.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(value),
                    length == nil || length == number
                else { throw Malformed(why: "its Content-Length is no single number") }
                length = number
            case "transfer-encoding":
                guard value == "chunked" else { throw Malformed(why: "its Transfer-Encoding is not \"chunked\"") }
                chunked = true
            case "connection":
                let options = value.split(separator: ",").map { Self.trimmed($0) }
                if options.contains("close") { keepAlive = false }
                if options.contains("keep-alive") { keepAlive = true }
            default: continue
            }
        }
        if !hasBody || code == 204 || code == 304 || code == 101 {
            state = .complete
        } else if chunked {
            state = .chunkSize
        } else if let length {
            state = length == 0 ? .complete : .body(remaining: length)
        } else {
            keepAlive = false
            state = .untilClose
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        let blank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        var rest = text.drop(while: blank)
        while let last = rest.last, blank(last) { rest.removeLast() }
        return String(rest)
    }
}
