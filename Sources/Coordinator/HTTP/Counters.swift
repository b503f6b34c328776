internal import Synchronization

/// Counts of requests since the start, for `/metrics`.
final class Counters: Sendable {
    struct Key: Hashable, Sendable {
        var route: String
        var status: Int
    }

    struct Value: Sendable {
        var count = 0
        var seconds = 0.0
    }

    private let state = Mutex<[Key: Value]>([:])

    func count(route: String, status: Int, seconds: Double) {
        state.withLock {
            $0[Key(route: route, status: status), default: Value()].count += 1
            $0[Key(route: route, status: status), default: Value()].seconds += seconds
        }
    }

    var all: [(key: Key, value: Value)] {
        state.withLock { $0.map { (key: $0.key, value: $0.value) } }
            .sorted { ($0.key.route, $0.key.status) < ($1.key.route, $1.key.status) }
    }
}
