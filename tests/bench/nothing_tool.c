/* SPDX-License-Identifier: Apache-2.0 */
/* The program of the exec benchmark: static, and does nothing. */
int main(void)
{
	return 0;
}
