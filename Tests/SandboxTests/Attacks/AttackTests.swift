import Linux
import Testing

@testable import Sandbox

/// The real attacks of ``Threat``, made inside a real sandbox on every profile that they concern, with a look at the outside; and each
/// without the defence, where that harms nobody, to see that it is an attack at all.
///
/// They need root. Without it they fail and are not skipped: a defence that was not tried is not known to hold. Those on an ordinary
/// user's sandboxes run in a process of their own (``OrdinaryUser``).
@Suite(.serialized) struct AttackTests {
    @Test(arguments: AttackCase.here) func isWithstood(_ attempt: AttackCase) async throws {
        try #require(OrdinaryUser.become() || Host.isRoot, "The attacks need root.")
        try await Scene.with(attempt.ground) { scene in
            let before = try World(scene)
            try await attempt.attack.defend(scene)
            #expect(try World(scene) == before)
            #expect(scene.leftovers() == [])
        }
    }

    @Test(arguments: ControlCase.here) func succeedsWithoutItsDefence(_ control: ControlCase) async throws {
        try #require(OrdinaryUser.become() || Host.isRoot, "The attacks need root.")
        let ground = Ground(profile: "service", mode: OrdinaryUser.isHere ? .ordinary : .mapped)
        try await Scene.with(ground) { scene in try await control.show(scene) }
    }

    /// Both tests above, of an ordinary user's grounds.
    @Test func anOrdinaryUsersSandboxesWithstandThemToo() async throws {
        try #require(Host.isRoot && !OrdinaryUser.isHere, "The attacks need root.")
        let output = try await OrdinaryUser.attack()
        let said = output.output + output.errorOutput
        guard output.isSuccess else {
            let problems = said.split(separator: "\n").filter { $0.contains("✘") || $0.contains("↳") }
            Issue.record("\(problems.isEmpty ? said : problems.joined(separator: "\n"))")
            return
        }
        for (name, count) in [
            ("isWithstood", AttackCase.ordinary.count), ("succeedsWithoutItsDefence", ControlCase.ordinary.count),
        ] {
            #expect(said.contains("Test \(name)(_:) with \(count) test cases passed"), "\(said.suffix(2000))")
        }
    }

    @Test func everyThreatHasAnAttackAndEveryAttackAGround() {
        let covered = Set(Attack.all.flatMap(\.threats))
        for threat in Threat.allCases { #expect(covered.contains(threat), "Nothing tests “\(threat.rawValue)”.") }
        for attack in Attack.all { #expect(!attack.grounds.isEmpty && !attack.threats.isEmpty, "\(attack.name)") }
        #expect(Set(Attack.all.map(\.name)).count == Attack.all.count)
    }

    /// Where there is no control the reason is written down, and is about harm or about absence.
    @Test func whatIsNeverTriedSaysWhy() {
        for attack in Attack.all {
            guard case .never(let reason) = attack.control else { continue }
            #expect(reason.count > 20, "\(attack.name)")
        }
    }
}
