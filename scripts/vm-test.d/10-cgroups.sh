# Limits, figures, freezing and killing where version 2 has every controller.
. "${0%/*}/lib.bash"
tests '^(CgroupsTests|LinuxTests)\.' \
    'EnforcementTests/refused\(\)' "a version 2 tree without controllers, as on hybrid hosts" \
    'KernelTests/gathers\(\)' "a service without a freezer of its own: version 1"
