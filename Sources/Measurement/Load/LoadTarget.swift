/// An `http://` address taken apart.
struct LoadTarget: Sendable, Equatable {
    /// Where a connection goes.
    struct Endpoint: Sendable, Hashable {
        var host: String
        var port: UInt16
    }

    var url: String
    var endpoint: Endpoint
    /// Path and query, at least `/`.
    var path: String
    /// The Host header's value.
    var authority: String

    /// Takes an address apart; throws a sentence.
    init(_ url: String) throws(LoadError) {
        func refuse(_ why: String) -> LoadError { .impossiblePlan(["workload address \(Self.shown(url)): \(why)"]) }
        guard url.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else {
            throw refuse("only printable ASCII without spaces is allowed; percent-encode the rest")
        }
        guard url.lowercased().hasPrefix("http://") else {
            throw refuse("must begin with http:// (TLS is not measured: put the address behind the proxy here)")
        }
        let rest = url.dropFirst(7)
        let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        let authority = String(rest[..<end])
        guard !authority.contains("@") else {
            throw refuse("no user name or password here; write an Authorization header")
        }
        var host = authority
        var port: UInt16 = 80
        let afterBracket = authority.lastIndex(of: "]") ?? authority.startIndex
        if let colon = authority[afterBracket...].lastIndex(of: ":") {
            guard let number = UInt16(authority[authority.index(after: colon)...]), number > 0 else {
                throw refuse("the port must be a number from 1 to 65535")
            }
            port = number
            host = String(authority[..<colon])
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard !host.isEmpty else { throw refuse("the host is missing") }
        var path = String(rest[end...].prefix { $0 != "#" })
        if !path.hasPrefix("/") { path = "/" + path }
        self.url = url
        self.endpoint = Endpoint(host: host, port: port)
        self.path = path
        self.authority = authority
    }

    private static func shown(_ url: String) -> String {
        "\"" + String(String.UnicodeScalarView(url.unicodeScalars.prefix(200).map { $0.value < 32 ? "?" : $0 })) + "\""
    }

    /// The bytes of one request.
    func request(method: String, headers: [String: String]) -> [UInt8] {
        var text = "\(method) \(path) HTTP/1.1\r\n"
        let names = Set(headers.keys.map { $0.lowercased() })
        if !names.contains("host") { text += "Host: \(authority)\r\n" }
        if !names.contains("user-agent") { text += "User-Agent: grace\r\n" }
        if !names.contains("accept") { text += "Accept: */*\r\n" }
        for name in headers.keys.sorted() { text += "\(name): \(headers[name] ?? "")\r\n" }
        return Array((text + "\r\n").utf8)
    }
}

/// Why a load could not be made at all. What goes wrong with single requests is in the report instead.
public enum LoadError: Error, Equatable, CustomStringConvertible {
    /// The plan can't be carried out.
    case impossiblePlan([String])

    /// Sentences: what, why, what to do.
    public var description: String {
        switch self {
        case .impossiblePlan(let problems): problems.joined(separator: "; ")
        }
    }
}

extension LoadPlan {
    /// The most connections of one plan: each has a thread of its own.
    public static let mostConnections = 512

    /// Every reason why this plan can't be carried out, as sentences; empty when it can.
    public var problems: [String] {
        var found: [String] = []
        if urls.isEmpty { found.append("workload.http.urls: at least one address is needed") }
        for url in urls {
            do { _ = try LoadTarget(url) } catch { found.append(error.description) }
        }
        if !(rate > 0 && rate <= 100_000) {
            found.append("workload.http.rate: must lie above 0 and up to 100000 per second, not \(rate)")
        }
        if !(duration > 0 && duration <= 3600) {
            found.append("workload.http.for: must lie above 0 and up to one hour, not \(duration) s")
        }
        if found.isEmpty, requests < 1 {
            found.append(
                "workload.http: \(Wording.number(rate))/s for \(Wording.number(duration)) s is less than one request; "
                    + "raise the rate or the time")
        }
        if requests > 10_000_000 { found.append("workload.http: \(requests) requests in one run are too many") }
        if !(1...Self.mostConnections).contains(connections) {
            found.append(
                "workload.http.connections: must lie between 1 and \(Self.mostConnections), not \(connections)")
        }
        if !(timeout > 0 && timeout <= 300) {
            found.append("workload.http.timeout: must lie above 0 and up to 300 s, not \(timeout) s")
        }
        let letters = method.utf8.allSatisfy { (65...90).contains($0) }
        if method.isEmpty || !letters || method == "CONNECT" {
            found.append("workload.http.method: must be a method in capitals such as GET, not \"\(method.prefix(20))\"")
        }
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) {
            let token = name.utf8.allSatisfy {
                (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == 45 || $0 == 95
            }
            let framing = ["content-length", "transfer-encoding", "connection", "expect", "upgrade"]
            if name.isEmpty || !token || framing.contains(name.lowercased()) {
                found.append("workload.http.headers: \"\(name.prefix(40))\" can't be set")
            }
            if !value.utf8.allSatisfy({ $0 >= 32 && $0 != 127 }) {
                found.append("workload.http.headers.\(name.prefix(40)): must not hold control characters")
            }
        }
        return found
    }
}
