/// What is usual for one figure: a bounded history of samples taken while nothing was wrong, and the few newest ones
/// beside it.
///
/// New samples enter the recent window first and move on to the history as they leave it, so that a slow rise is compared
/// with what was before it, not with itself. While a problem stands the history takes nothing: a norm does not learn the
/// problem.
public struct Norm: Sendable, Equatable {
    public let recentCount: Int
    public let historyCount: Int
    public private(set) var recent: [Double] = []
    public private(set) var history: [Double] = []

    public init(recent: Int, history: Int) {
        self.recentCount = Swift.max(1, recent)
        self.historyCount = Swift.max(1, history)
    }

    /// Adds a sample; with `learn` false the sample that leaves the recent window is dropped.
    public mutating func add(_ value: Double, learn: Bool = true) {
        recent.append(value)
        guard recent.count > recentCount else { return }
        let leaving = recent.removeFirst()
        guard learn else { return }
        history.append(leaving)
        if history.count > historyCount { history.removeFirst() }
    }

    /// The median of the recent window, `nil` until it is full.
    public var observed: Double? { recent.count == recentCount ? Self.median(recent) : nil }

    /// The median of the history, `nil` until it holds `minimum` samples.
    public func usual(minimum: Int) -> Double? {
        history.count >= minimum ? Self.median(history) : nil
    }

    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
