/** A new id. `crypto.randomUUID` is there on secure pages only, not at http://192.168.1.5:8000/. */
export function newId(): string {
  if ('randomUUID' in crypto) return crypto.randomUUID()
  // RFC 9562, section 5.4: version 4, variant 10.
  const bytes = (crypto as Crypto).getRandomValues(new Uint8Array(16))
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
