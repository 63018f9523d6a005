/* SPDX-License-Identifier: ISC */
/* The first guest instruction: rdi = &boot_info, rsp = top of the stack, set by the tender. */
	.section .text.entry, "ax"
	.globl _start
	.type _start, @function
_start:
	xorl %ebp, %ebp
	andq $-16, %rsp
	cld
	call guest_main
	ud2
	.size _start, . - _start
	.section .note.GNU-stack, "", @progbits
