internal import CSandbox
internal import CSeccomp
internal import FoundationEssentials
internal import Glibc
internal import Linux

/// Turns a filter's plan into the kernel's filter language, by way of libseccomp.
enum SeccompCompiler {
    /// The program, as a memfd: `struct sock_filter[]`. `reporting` says whether somebody will attend to the filter's listener,
    /// `keepsProject` whether files keep their project (``FilterGuards/project``).
    ///
    /// - Throws: ``SandboxError`` when libseccomp refuses a rule, or the sandbox could not even start under this filter.
    static func compile(_ plan: FilterPlan, reporting: Bool, keepsProject: Bool = false) throws -> Descriptor {
        try check(plan)
        guard let context = seccomp_init(code(plan.standard, reporting)) else {
            throw SandboxError.helper("libseccomp could not start a filter; is there memory left?")
        }
        defer { seccomp_release(context) }
        // Calls of another architecture (int 0x80, x32) are not known either; who attends answers them ENOSYS, too. By default they
        // would kill.
        try check(
            seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, reporting ? notify : fail(ENOSYS)),
            "its action for other architectures")
        try check(seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2), "its binary search tree")
        for rule in plan.rules where rule.action != plan.standard {
            guard let number = SystemCalls.number(of: rule.call) else { continue }  // of another architecture
            let conditions = rule.conditions.map { condition in
                scmp_arg_cmp(
                    arg: condition.index, op: comparison(condition.comparison), datum_a: condition.value,
                    datum_b: condition.second)
            }
            try check(
                seccomp_rule_add_array(
                    context, code(rule.action, reporting), number, UInt32(conditions.count), conditions), rule.call)
        }
        let file = try Descriptor.memory(name: "grace-seccomp")
        let guards = FilterGuards.instructions(
            architecture: seccomp_arch_native(), denied: code(.report, reporting), keepsProject: keepsProject)
        try Files.write(file, guards.withUnsafeBytes { Data($0) })
        try check(file.withRaw { seccomp_export_bpf(context, $0) }, "the export")
        return file
    }

    /// - Throws: ``SandboxError`` where the sandbox could not even start under this filter.
    private static func check(_ plan: FilterPlan) throws {
        guard let missing = plan.missingEssential else { return }
        throw SandboxError.invalid(
            "The sandbox's filter denies “\(missing)”, which its own process 1 needs to start and end commands; allow it."
        )
    }

    // The macros of seccomp.h are not imported.
    private static let notify: UInt32 = 0x7fc0_0000  // SCMP_ACT_NOTIFY
    private static func fail(_ code: Int32) -> UInt32 { 0x0005_0000 | UInt32(code) }  // SCMP_ACT_ERRNO

    private static func code(_ action: FilterPlan.Action, _ reporting: Bool) -> UInt32 {
        switch action {
        case .allow: 0x7fff_0000
        case .log: 0x7ffc_0000
        case .fail(let errno): fail(errno)
        case .report: reporting ? notify : fail(EPERM)
        case .trap: 0x0003_0000
        case .killThread: 0
        case .killProcess: 0x8000_0000
        }
    }

    private static func comparison(_ comparison: FilterPlan.Condition.Comparison) -> scmp_compare {
        switch comparison {
        case .notEqual: SCMP_CMP_NE
        case .less: SCMP_CMP_LT
        case .lessOrEqual: SCMP_CMP_LE
        case .equal: SCMP_CMP_EQ
        case .greaterOrEqual: SCMP_CMP_GE
        case .greater: SCMP_CMP_GT
        case .maskedEqual: SCMP_CMP_MASKED_EQ
        }
    }

    private static func check(_ result: Int32, _ what: String) throws {
        guard result < 0 else { return }
        throw SandboxError.helper(
            "libseccomp refused \(what) for the sandbox's filter (\(SystemError(call: "seccomp", subject: what, code: -result)))."
        )
    }
}
