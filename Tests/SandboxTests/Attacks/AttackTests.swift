import Linux
import Testing

@testable import Sandbox

/// The real attacks of ``Threat``, made inside a real sandbox on every profile that they concern, with a look at the outside; and each
/// without the defence, where that harms nobody, to see that it is an attack at all.
///
/// They need root. Without it they fail and are not skipped: a defence that was not tried is not known to hold.
@Suite(.serialized) struct AttackTests {
    @Test(arguments: AttackCase.all) func isWithstood(_ attempt: AttackCase) async throws {
        try #require(Host.isRoot, "The attacks need root.")
        try await Scene.with(attempt.ground) { scene in
            let before = try World(scene)
            try await attempt.attack.defend(scene)
            #expect(try World(scene) == before)
            #expect(scene.leftovers() == [])
        }
    }

    @Test(arguments: ControlCase.all) func succeedsWithoutItsDefence(_ control: ControlCase) async throws {
        try #require(Host.isRoot, "The attacks need root.")
        try await Scene.with(Ground(profile: "service", mode: .mapped)) { scene in try await control.show(scene) }
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
