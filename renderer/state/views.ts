import {
  IconActivity,
  IconArrowsDiff,
  IconHistory,
  IconHome2,
  IconPlayerPlay,
  IconStethoscope,
  type TablerIcon,
} from '@tabler/icons-react';

export type ViewId = 'home' | 'run' | 'live' | 'compare' | 'history' | 'doctor';

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
  { id: 'history', title: 'History', icon: IconHistory },
  { id: 'doctor', title: 'Doctor', icon: IconStethoscope },
];
