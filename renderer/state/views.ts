import {
  IconActivity,
  IconArrowsDiff,
  IconChartLine,
  IconHistory,
  IconHome2,
  IconPlayerPlay,
  IconStackFront,
  IconStethoscope,
  type TablerIcon,
} from '@tabler/icons-react';

export type ViewId = 'home' | 'run' | 'live' | 'compare' | 'roofline' | 'captures' | 'history' | 'doctor';

export interface View {
  readonly id: ViewId;
  readonly title: string;
  readonly icon: TablerIcon;
}

/** The rail, in order. A view is listed when it exists. */
export const views: readonly View[] = [
  { id: 'home', title: 'Home', icon: IconHome2 },
  { id: 'run', title: 'Run', icon: IconPlayerPlay },
  { id: 'live', title: 'Live', icon: IconActivity },
  { id: 'compare', title: 'Compare', icon: IconArrowsDiff },
  { id: 'roofline', title: 'Roofline', icon: IconChartLine },
  { id: 'captures', title: 'Captures', icon: IconStackFront },
  { id: 'history', title: 'History', icon: IconHistory },
  { id: 'doctor', title: 'Doctor', icon: IconStethoscope },
];
