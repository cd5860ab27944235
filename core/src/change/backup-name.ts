/** `<path>_backup_<YYYYMMDDhhmmss>`, in UTC so that names sort as they were made. */
export function backupName(path: string, date = new Date()): string {
  return `${path}_backup_${date.toISOString().replaceAll(/\D/g, '').slice(0, 14)}`
}
