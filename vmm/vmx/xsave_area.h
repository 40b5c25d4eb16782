/* How the processor lays out an XSAVE area, as CPUID.0DH tells. A pure function of CPUID. SDM 1 "XSAVE Area". */
#pragma once

#include "vmm/vmx/preflight.h"

#define XSAVE_LEGACY_BYTES 512u
#define XSAVE_EXTENDED 576u /* where the components from 2 on begin: legacy region and header come first */

/* Those of the components that CPUID gives a place inside the area. (Bochs 2.7 claims PKRU and says of it nothing, 0 bytes at
 * 0: a guest that believes it makes its areas too small.) */
uint64_t xsave_described(cpuid_fn *cpuid, uint64_t components);

/* Bytes of an area in standard format with these components. */
uint32_t xsave_area_bytes(cpuid_fn *cpuid, uint64_t components);
