interface SparklineProps {
  readonly lines: readonly { readonly values: readonly number[]; readonly token: string }[];
  readonly width: number;
  readonly height: number;
  readonly label: string;
}

/** Lines without axes, on one scale from zero. */
export function Sparkline({ lines, width, height, label }: SparklineProps) {
  const peak = Math.max(...lines.flatMap((line) => line.values.filter(Number.isFinite)), 0);
  return (
    <svg
      width="100%"
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      {lines.map((line) => (
        <path
          key={line.token}
          d={pathOf(line.values, peak, width, height)}
          fill="none"
          stroke={`var(${line.token})`}
          strokeWidth={1.25}
          vectorEffect="non-scaling-stroke"
          strokeLinejoin="round"
        />
      ))}
    </svg>
  );
}

export function pathOf(values: readonly number[], peak: number, width: number, height: number): string {
  const step = width / Math.max(1, values.length - 1);
  let path = '';
  let pen = 'M';
  values.forEach((value, index) => {
    if (!Number.isFinite(value)) {
      pen = 'M';
      return;
    }
    const y = height - 1 - (peak > 0 ? value / peak : 0) * (height - 2);
    path += `${pen}${(index * step).toFixed(1)} ${y.toFixed(1)}`;
    pen = 'L';
  });
  return path;
}
