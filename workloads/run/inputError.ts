/** Bad input from a person or a file: one line that says what was found, where, and what was expected. Exit status 2. */
export class InputError extends Error {
  override readonly name = 'InputError';
}
