// UUIDs of version 7 (RFC 9562 §5.7): those of one program are in the order in which they were made.

let lastMs = 0;
let counter = 0;

/** `crypto.randomUUID` will not do: browsers have it only on pages that came over TLS or from the machine itself. */
export function uuid7() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const now = Date.now();
  if (now > lastMs) {
    lastMs = now;
    counter = ((bytes[6] & 0x07) << 8) | bytes[7];
  } else if (++counter > 0xfff) {
    // More than the counter holds in one millisecond, or a clock that went back: the next number is of the next one.
    lastMs += 1;
    counter = 0;
  }
  for (let place = 0; place < 6; place += 1) bytes[place] = Math.floor(lastMs / 256 ** (5 - place)) % 256;
  bytes[6] = 0x70 | (counter >> 8);
  bytes[7] = counter & 0xff;
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
