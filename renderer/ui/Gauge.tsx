/** The mark: the dial of a dynamometer. Drawn here as well as in assets/, so that it takes the text's colour. */
export function Gauge({ size = 18 }: { readonly size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeLinecap="round"
      aria-hidden="true"
    >
      <path d="M4.6 18.2a9.2 9.2 0 1 1 14.8 0" strokeWidth="2.2" />
      <path d="M12 13.2 16.4 8" strokeWidth="2.2" />
      <circle cx="12" cy="13.2" r="1.9" fill="currentColor" stroke="none" />
    </svg>
  );
}
