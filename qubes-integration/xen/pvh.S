/* SPDX-License-Identifier: ISC */
/*
 * Xen's way in (PVH): 32-bit, no paging, ebx = struct xen_start_info. From here
 * to long mode on tables that map the first GiB, which xenmem.c then replaces.
 */
#define PAGE 4096
#define MSR_EFER 0xc0000080
#define MSR_FS_BASE 0xc0000100
#define UPCALL_PENDING 0xf8000000 /* the first byte of the shared info: xenmem.h */

	.section .note.postern.xen, "a", @note
	.balign 4
	.long 4, 4, 18 /* name, value: bytes; XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long pvh_start

	.section .bss.pvh, "aw", @nobits
	.balign PAGE
tables: .skip 3 * PAGE
	.balign 64
canary: .skip 64 /* FS base: the stack protector's value at +0x28 */
	.skip 16384
boot_stack:
	.balign 64
	.globl suspend_kept
suspend_kept: .skip 8192 /* suspend.c's: what a second start needs */
kept_end:

	.section .rodata.pvh, "a"
	.balign 8
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff /* 8: 64-bit code */
	.quad 0x00cf93000000ffff /* 16: data */
boot_gdt_pointer:
	.word . - boot_gdt - 1
	.quad boot_gdt

	.section .text.pvh, "ax"
	.code32
	.globl pvh_start
	.type pvh_start, @function
pvh_start:
	cli
	cld
	movl $boot_stack, %esp
	movl $tables + PAGE + 3, tables
	movl $tables + 2 * PAGE + 3, tables + PAGE
	movl $tables + 2 * PAGE, %edi
	movl $0x83, %eax
	movl $512, %ecx
1:	movl %eax, (%edi)
	addl $0x200000, %eax
	addl $8, %edi
	loop 1b
	movl %cr4, %eax
	orl $0x620, %eax /* PAE, OSFXSR, OSXMMEXCPT: the image moves bytes through xmm */
	movl %eax, %cr4
	movl $tables, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $0x900, %eax /* long mode, NX */
	wrmsr
	movl %cr0, %eax
	andl $~0xc, %eax       /* EM, TS */
	orl $0x80010023, %eax  /* PG, WP, NE, MP, PE */
	movl %eax, %cr0
	lgdt boot_gdt_pointer
	ljmp $8, $long_mode
	.size pvh_start, . - pvh_start

	.code64
	.type long_mode, @function
long_mode:
	movl $16, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	movl $MSR_FS_BASE, %ecx
	movl $canary, %eax
	xorl %edx, %edx
	wrmsr
	movl %ebx, %esi
	movl $1, %eax
	cpuid
	movl %ecx, %r8d
	rdtsc
	shlq $32, %rdx
	orq %rax, %rdx
	movabsq $0x9e3779b97f4a7c15, %rax
	imulq %rdx, %rax
	btl $30, %r8d /* RDRAND */
	jnc 1f
	rdrand %rdx
	xorq %rdx, %rax
1:	xorb %al, %al /* a zero byte first: strings do not run over it */
	movq %rax, canary + 0x28
	movl %esi, %edi
	call xenboot_memory
	movq %rax, %rsp
	xorl %ebp, %ebp
	call xenboot_main
	ud2
	.size long_mode, . - long_mode

/*
 * Once more from the start, in a domain that was restored: rdi = struct xen_start_info, rsi = what the
 * image's data was at first. All other memory is as good as unused; what is in this file's part of
 * .bss stays.
 */
	.globl pvh_again
	.type pvh_again, @function
pvh_again:
	cli
	cld
	lgdt boot_gdt_pointer
	movl $tables, %eax
	movq %rax, %cr3
	movl $boot_stack, %esp
	movq %rdi, %rbx
	movl $image_data, %edi
	movl $image_bss, %ecx
	subl %edi, %ecx
	rep movsb
	xorl %eax, %eax
	movl $tables, %ecx
	subl %edi, %ecx
	rep stosb
	movl $kept_end, %edi
	movl $image_end, %ecx
	subl %edi, %ecx
	rep stosb
	jmp long_mode
	.size pvh_again, . - pvh_again

/* --- interrupts: exceptions end the guest, the upcall only wakes it ------------------- */
	.balign 16
	.globl trap_stubs
trap_stubs:
	.set vector, 0
	.rept 32
	.balign 16
	.if (vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30)
	.else
	pushq $0
	.endif
	pushq $vector
	jmp trap_common
	.set vector, vector + 1
	.endr
trap_common:
	cld
	movq %rsp, %rdi
	andq $-16, %rsp
	call trap_report
	ud2

	.balign 16
	.globl trap_upcall
trap_upcall:
	pushq %rax
	movl $UPCALL_PENDING, %eax
	movb $0, (%rax)
	/*
	 * It came in front of the halt, not in it, where a hypervisor under Xen keeps no interrupt shadow
	 * over an exit (QEMU's emulation of SVM does not). Xen signals once: the halt would never end.
	 */
	movl $trap_halt_at, %eax
	cmpq %rax, 8(%rsp)
	jne 1f
	incq 8(%rsp) /* its one byte */
1:	popq %rax
	iretq

	.globl trap_halt, trap_halt_at
trap_halt:
	sti
trap_halt_at:
	hlt
	cli
	ret

/* --- Xen writes its calls here, 32 bytes each ------------------------------------------ */
	.balign PAGE
	.globl hypercall_page
hypercall_page:
	.fill PAGE, 1, 0xcc
	.section .note.GNU-stack, "", @progbits
