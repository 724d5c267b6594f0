/** Escapes of dialog files: `\r \n \0 \xNN`; any other letter behind a backslash stands for itself. One latin1 character is one octet. */
export const bytesOf = (text: string): string =>
  text.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_all, hex: string | undefined, letter: string) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    return { r: '\r', n: '\n', '0': '\0' }[letter] ?? letter;
  });
