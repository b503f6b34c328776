internal import Linux

/// Who already has ids in the range that sandboxes are mapped to.
enum IDRange {
    /// A sentence naming the first user, group or subordinate range that reaches `first`; `nil` when it is free.
    static func taken(from first: UInt32, etc: String = "/etc") throws -> String? {
        let service = NameService(etc: etc)
        for (file, field, what) in [("passwd", 2, "user"), ("group", 2, "group")] {
            for line in (try? service.lines(file)) ?? [] {
                let parts = line.split(separator: ":", omittingEmptySubsequences: false)
                guard parts.count > field, let id = UInt64(parts[field]), id >= UInt64(first) else { continue }
                return "the \(what) “\(parts[0])” has the id \(id) (\(etc)/\(file))"
            }
        }
        for file in ["subuid", "subgid"] {
            for line in (try? service.lines(file)) ?? [] {
                let parts = line.split(separator: ":")
                guard parts.count == 3, let start = UInt64(parts[1]), let count = UInt64(parts[2]) else { continue }
                let (end, overflow) = start.addingReportingOverflow(count)
                guard overflow || end > UInt64(first) else { continue }
                return "“\(parts[0])” may use ids from \(start) on, \(count) of them (\(etc)/\(file))"
            }
        }
        // Beyond the files (LDAP): ask for the one that every process inside would be.
        if service.knowsMore("passwd"), let user = try Users.lookup(uid: first, in: service) {
            return "the user “\(user.name)” has the id \(first) (getent passwd)"
        }
        return nil
    }
}
