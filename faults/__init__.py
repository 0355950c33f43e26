"""Faults that disks and machines have, injected into real processes (docs/faults.md). ``make faults`` runs them all."""
