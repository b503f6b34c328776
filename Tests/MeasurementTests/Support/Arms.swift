@testable import Measurement

extension ArmMeasurement {
    /// An arm that made `requests` requests, with these values beside the error rate.
    static func arm(_ values: [KPI: Double] = [:], requests: Int = 60, errors: Int = 0) -> ArmMeasurement {
        ArmMeasurement(values: values, requests: requests, errors: errors)
    }
}

extension Block {
    /// A block whose arms are alike within each side.
    static func block(
        _ index: Int, baseline: ArmMeasurement, candidate: ArmMeasurement, discarded: String? = nil
    ) -> Block {
        Block(
            index: index, order: index.isMultiple(of: 2) ? .abba : .baab, baseline: [baseline, baseline],
            candidate: [candidate, candidate], discarded: discarded)
    }
}

extension Judge {
    /// Adds alike blocks until the judge has decided; how many it took.
    mutating func run(baseline: ArmMeasurement, candidate: ArmMeasurement, atMost: Int = 200) -> Int {
        var index = 0
        while !decided, index < atMost {
            add(.block(index, baseline: baseline, candidate: candidate))
            index += 1
        }
        return index
    }
}

extension TrialPlan {
    static func plan(_ boundaries: Boundary..., min: Int = 10, max: Int = 80) -> TrialPlan {
        TrialPlan(minBlocks: min, maxBlocks: max, boundaries: boundaries)
    }
}

extension Boundary {
    static func goal(_ kpi: KPI, _ amount: Double) -> Boundary { Boundary(kpi: kpi, role: .goal, amount: amount) }
    static func guardrail(_ kpi: KPI, _ amount: Double) -> Boundary {
        Boundary(kpi: kpi, role: .guardrail, amount: amount)
    }
}
