/** A run's line as the charts draw it, for heads and legends. */
export const LineKey = ({
  token,
  dash = [],
}: {
  readonly token: string;
  readonly dash?: readonly number[] | undefined;
}) => (
  <svg width={26} height={8} aria-hidden="true">
    <line
      x1={0}
      x2={26}
      y1={4}
      y2={4}
      stroke={`var(${token})`}
      strokeWidth={2}
      strokeDasharray={dash.join(' ')}
    />
  </svg>
);
