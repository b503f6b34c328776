extension Governance {
    /// The governance file that a fresh installation writes to `/etc/grace/governance.yaml`. The ordinary mission passes it.
    public static let defaultText = """
        # What missions on this host must keep to. Root owns this file; approvals are bound to its digest, so editing it makes
        # approvals given before void.
        #
        # Every rule has
        #   id           a name, used once
        #   kind         path | kind | time_window | severity | max_margin | required_kpis | required_scanners
        #   level        advisory (shown) | soft_mandatory (a signed override is needed) | hard_mandatory (blocks)
        #   description  why it is there, for people (optional)
        #   when         which missions it is about (optional): severity, promote, changes, workload, paths
        # The governance part of the trust score is the share of applicable rules that pass, weighted 1, 2 and 3 by level;
        # without any rule it is 0.

        rules:
          # path: `deny` matches no changed path, and each changed path matches one of `allow` where that is given.
          # `*` and `?` stay within one name, `**` is any number of names.
          - id: logins
            kind: path
            level: hard_mandatory
            description: Who may log in and become root is not changed by a mission.
            deny:
              - /etc/sudoers
              - /etc/sudoers.d/**
              - /etc/pam.d/**
              - /etc/security/**
              - /etc/ssh/**
              - /etc/ld.so.preload
              - /root/.ssh/**
              - /home/*/.ssh/**
          - id: accounts
            kind: path
            level: soft_mandatory
            description: Packages make system users; nothing else should.
            deny: [/etc/passwd*, /etc/shadow*, /etc/group*, /etc/gshadow*]
          - id: boot
            kind: path
            level: soft_mandatory
            description: A host that no longer boots can't roll itself back.
            deny: [/boot/**, /usr/lib/modules/**, /lib/modules/**, /etc/fstab, /etc/crypttab]

          # kind: how changes may be made (run, files, patch, git), promoted (files, rerun), and which entries a change set may
          # hold (create, modify, delete, replace, metadata).
          - id: kinds
            kind: kind
            level: hard_mandatory
            changes: [run, files, patch, git]
            promote: [files, rerun]

          # time_window: nothing is promoted in these times; asked again at the moment of promotion. Weekly windows have days
          # with from and to (a window that ends before it begins runs into the next day), others dates with from and until.
          # Zones: UTC (the default), an offset such as +02:00, or a name such as Europe/Berlin.
          - id: freeze
            kind: time_window
            level: hard_mandatory
            freeze: []
            # freeze:
            #   - {days: [fri, sat, sun], from: "18:00", to: "06:00", zone: Europe/Berlin}
            #   - {from: 2026-12-23, until: 2027-01-02, zone: Europe/Berlin}

          # severity: the most severe mission that may go through.
          - id: severity
            kind: severity
            level: advisory
            description: Critical problems want a person at the keyboard, not a mission.
            max: high

          # max_margin: the widest guardrail an author may write, and the lowest confidence. Rates are in percentage points.
          - id: margins
            kind: max_margin
            level: hard_mandatory
            margins:
              latency_p50: 10%
              latency_p95: 10%
              latency_p99: 20%
              throughput: 10%
              error_rate: 1pp
              cpu_time: 20%
              memory_peak: 20%
            min_confidence: 95%

          # required_kpis: each must be a goal or a guardrail of the mission, and measured.
          - id: service-kpis
            kind: required_kpis
            level: hard_mandatory
            when: {workload: [http]}
            kpis: [error_rate]

          # required_scanners: each must have run over the change set. `native` is built in.
          - id: scanners
            kind: required_scanners
            level: hard_mandatory
            scanners: [native]

        """
}
