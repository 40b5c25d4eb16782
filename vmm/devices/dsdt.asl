/* The guest's machine as its ACPI sees it: QEMU's `pc` in outline. Compiled by iasl when the project is built; see
 * guest_acpi.c for the tables around it. ACPI specification 6.4.
 *
 * PCI interrupts: pin (slot + INTx) & 3 of the bus goes to GSI 16..19, as on a chipset whose I/O APIC has pins of its own for
 * PCI; a guest that uses the 8259s finds them at IRQ 10 and 11. The windows must agree with vmm/life/platform.h. */
DefinitionBlock ("", "DSDT", 2, "AVATAR", "AVATARVT", 1)
{
	/* How many of the CPUs below are there. Patched by guest_acpi.c, which looks for the name; never 0 or 1 here, so that
	 * the compiler leaves a byte to patch. */
	Name (NCPU, 0x10)

	/* Which interrupt controllers the guest uses: 0 the 8259s, 1 the I/O APIC. */
	Name (PICM, 0)
	Method (_PIC, 1, NotSerialized)
	{
		PICM = Arg0
	}

	/* Soft-off: SLP_TYP 0, as vacpi_pm has it. */
	Name (_S5, Package (4) { 0, 0, 0, 0 })

	Method (CPST, 1, NotSerialized)
	{
		If (Arg0 < NCPU)
		{
			Return (0x0F)
		}

		Return (0)
	}

	Scope (\_SB)
	{
		Device (CP00) { Name (_HID, "ACPI0007") Name (_UID, 0) Method (_STA) { Return (CPST (0)) } }
		Device (CP01) { Name (_HID, "ACPI0007") Name (_UID, 1) Method (_STA) { Return (CPST (1)) } }
		Device (CP02) { Name (_HID, "ACPI0007") Name (_UID, 2) Method (_STA) { Return (CPST (2)) } }
		Device (CP03) { Name (_HID, "ACPI0007") Name (_UID, 3) Method (_STA) { Return (CPST (3)) } }
		Device (CP04) { Name (_HID, "ACPI0007") Name (_UID, 4) Method (_STA) { Return (CPST (4)) } }
		Device (CP05) { Name (_HID, "ACPI0007") Name (_UID, 5) Method (_STA) { Return (CPST (5)) } }
		Device (CP06) { Name (_HID, "ACPI0007") Name (_UID, 6) Method (_STA) { Return (CPST (6)) } }
		Device (CP07) { Name (_HID, "ACPI0007") Name (_UID, 7) Method (_STA) { Return (CPST (7)) } }
		Device (CP08) { Name (_HID, "ACPI0007") Name (_UID, 8) Method (_STA) { Return (CPST (8)) } }
		Device (CP09) { Name (_HID, "ACPI0007") Name (_UID, 9) Method (_STA) { Return (CPST (9)) } }
		Device (CP0A) { Name (_HID, "ACPI0007") Name (_UID, 10) Method (_STA) { Return (CPST (10)) } }
		Device (CP0B) { Name (_HID, "ACPI0007") Name (_UID, 11) Method (_STA) { Return (CPST (11)) } }
		Device (CP0C) { Name (_HID, "ACPI0007") Name (_UID, 12) Method (_STA) { Return (CPST (12)) } }
		Device (CP0D) { Name (_HID, "ACPI0007") Name (_UID, 13) Method (_STA) { Return (CPST (13)) } }
		Device (CP0E) { Name (_HID, "ACPI0007") Name (_UID, 14) Method (_STA) { Return (CPST (14)) } }
		Device (CP0F) { Name (_HID, "ACPI0007") Name (_UID, 15) Method (_STA) { Return (CPST (15)) } }

		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A03"))
			Name (_UID, 0)
			Name (_BBN, 0)
			Name (_CRS, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0, 0, 0, 1)
				IO (Decode16, 0x0CF8, 0x0CF8, 1, 8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange, 0, 0x0000, 0x0CF7, 0, 0x0CF8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange, 0, 0x0D00, 0xFFFF, 0, 0xF300)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite, 0, 0xC0000000,
					     0xFEBFFFFF, 0, 0x3EC00000)
			})

			/* 32 slots with four pins each, made when asked for. */
			Method (_PRT, 0, Serialized)
			{
				Local0 = Package (128) {}
				Local1 = 0
				While (Local1 < 128)
				{
					Local2 = Local1 >> 2
					Local3 = (Local1 + Local2) & 3
					Local4 = Package (4) { 0, 0, 0, 0 }
					Local4 [0] = (Local2 << 16) | 0xFFFF
					Local4 [1] = Local1 & 3
					If (PICM)
					{
						Local4 [3] = Local3 + 16
					}
					Else
					{
						Local4 [3] = (Local3 & 1) + 10
					}

					Local0 [Local1] = Local4
					Local1++
				}

				Return (Local0)
			}

			Device (ISA)
			{
				Name (_ADR, 0x00010000)

				Device (PIC)
				{
					Name (_HID, EisaId ("PNP0000"))
					Name (_CRS, ResourceTemplate ()
					{
						IO (Decode16, 0x0020, 0x0020, 1, 2)
						IO (Decode16, 0x00A0, 0x00A0, 1, 2)
						IO (Decode16, 0x04D0, 0x04D0, 1, 2)
						IRQNoFlags () { 2 }
					})
				}

				Device (PIT)
				{
					Name (_HID, EisaId ("PNP0100"))
					Name (_CRS, ResourceTemplate ()
					{
						IO (Decode16, 0x0040, 0x0040, 1, 4)
						IRQNoFlags () { 0 }
					})
				}

				Device (RTC)
				{
					Name (_HID, EisaId ("PNP0B00"))
					Name (_CRS, ResourceTemplate ()
					{
						IO (Decode16, 0x0070, 0x0070, 1, 2)
						IRQNoFlags () { 8 }
					})
				}

				Device (COM1)
				{
					Name (_HID, EisaId ("PNP0501"))
					Name (_UID, 1)
					Name (_CRS, ResourceTemplate ()
					{
						IO (Decode16, 0x03F8, 0x03F8, 1, 8)
						IRQNoFlags () { 4 }
					})
				}

				/* Ports that are taken, but are nobody's to drive. */
				Device (MBRD)
				{
					Name (_HID, EisaId ("PNP0C02"))
					Name (_CRS, ResourceTemplate ()
					{
						IO (Decode16, 0x0061, 0x0061, 1, 1)
						IO (Decode16, 0x0064, 0x0064, 1, 1)
						IO (Decode16, 0x0092, 0x0092, 1, 1)
						IO (Decode16, 0x00B2, 0x00B2, 1, 2)
						IO (Decode16, 0x0600, 0x0600, 1, 64)
						IO (Decode16, 0xAFE0, 0xAFE0, 1, 4)
					})
				}
			}
		}
	}
}
