/** What deleted collections leave behind is worth a warning from this size on; below, it only is said. Bytes. */
export const LARGE_LEFTOVER = 64 * 1024 ** 2
