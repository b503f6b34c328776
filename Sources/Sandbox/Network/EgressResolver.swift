internal import FoundationEssentials
internal import Linux

/// Answers a sandbox's look-ups: addresses of allowed names, which are open before the answer is given, and nothing else.
struct EgressResolver {
    let egress: Egress

    /// A query over TCP after another, until there is none.
    func serve(_ socket: Descriptor) {
        while let query = DNSStream.read(socket, timeout: .seconds(10), stop: egress.stop),
            let answer = answer(query)
        {
            let length = [UInt8(answer.count >> 8), UInt8(answer.count & 255)]
            guard (try? Files.write(socket, Data(length + answer))) != nil else { return }
        }
    }

    /// The answer to a query; `nil` for what is none. Blocks the thread, which is in the network of the outside.
    func answer(_ bytes: [UInt8]) -> [UInt8]? {
        guard let question = DNSMessage.question(bytes) else { return nil }
        let name = question.name ?? "(no name of letters, digits, “-” and “_”)"
        let rules = egress.permissions.rules(for: name)
        guard !rules.isEmpty else {
            // What programs ask about an allowed name beside its addresses is not there, which is no refusal.
            if egress.permissions.isService(name) { return DNSMessage.reply(question, code: DNSMessage.Code.none) }
            egress.record { $0.refusedLookUp(name) }
            return DNSMessage.reply(question, code: DNSMessage.Code.refused)
        }
        guard question.kind == DNSMessage.Kind.a || (question.kind == DNSMessage.Kind.aaaa && egress.gateway.hasIPv6)
        else { return DNSMessage.reply(question, code: DNSMessage.Code.none) }
        let upstream = Upstream(servers: egress.outside.nameServers(), stop: egress.stop)
        guard let found = upstream.ask(name, question.kind) else {
            return DNSMessage.reply(question, code: DNSMessage.Code.failure)
        }
        // One that this host has no route to would seem to connect, and hide the ones that do.
        let usable = EgressPermissions.ordinary(found.addresses).filter {
            (try? Relaying.connect(Endpoint($0, 9), isStream: false, timeout: .zero)) != nil
        }
        let addresses = Array(usable.prefix(DNSMessage.mostAddresses))
        if !addresses.isEmpty {
            do {
                try egress.permissions.open(
                    rules, addresses, name: name, life: found.life, change: egress.gateway.change)
            } catch {
                return DNSMessage.reply(question, code: DNSMessage.Code.failure)
            }
        }
        egress.record { $0.lookedUp(name, addresses: addresses.map(\.description)) }
        // Programs are to ask again before the gateway closes what it opened.
        return DNSMessage.reply(
            question, code: found.code, addresses: addresses,
            life: min(found.life, UInt32(EgressPermissions.leastSeconds / 2)))
    }
}
