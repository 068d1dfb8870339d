import { describe, expect, it } from 'vitest';
import { type Drawable, FrameScheduler } from './frameScheduler.ts';

/** A clock that tests turn by hand; each draw takes `cost` ms. */
class HandClock {
  time = 0;
  private callbacks: (() => void)[] = [];
  now = () => this.time;
  request = (callback: () => void) => {
    this.callbacks.push(callback);
  };
  frame(advance = 100) {
    this.time += advance;
    for (const callback of this.callbacks.splice(0)) callback();
  }
}

const chart = (
  clock: HandClock,
  name: string,
  drawn: string[],
  cost = 1,
): Drawable & { isVisible: boolean } => ({
  isVisible: true,
  draw() {
    clock.time += cost;
    drawn.push(name);
  },
});

describe('FrameScheduler', () => {
  it('draws a chart once per frame however often data came', () => {
    const clock = new HandClock();
    const drawn: string[] = [];
    const scheduler = new FrameScheduler(clock);
    const a = chart(clock, 'a', drawn);
    for (let i = 0; i < 5; i += 1) scheduler.mark(a);
    clock.frame();
    clock.frame();
    expect(drawn).toEqual(['a']);
  });

  it('leaves to the next frame what its budget does not hold', () => {
    const clock = new HandClock();
    const drawn: string[] = [];
    const scheduler = new FrameScheduler(clock, 10);
    for (const name of ['a', 'b', 'c']) scheduler.mark(chart(clock, name, drawn, 6));
    clock.frame();
    expect(drawn).toEqual(['a', 'b']);
    clock.frame();
    expect(drawn).toEqual(['a', 'b', 'c']);
  });

  it('does not begin what it knows will not fit', () => {
    const clock = new HandClock();
    const drawn: string[] = [];
    const scheduler = new FrameScheduler(clock, 10);
    const charts = ['a', 'b'].map((name) => chart(clock, name, drawn, 6));
    for (const each of charts) scheduler.mark(each);
    clock.frame();
    expect(drawn).toEqual(['a', 'b']);
    for (const each of charts) scheduler.mark(each);
    clock.frame();
    expect(drawn).toEqual(['a', 'b', 'a']);
    clock.frame();
    expect(drawn).toEqual(['a', 'b', 'a', 'b']);
  });

  it('does not draw what is hidden, and draws it when it is seen again', () => {
    const clock = new HandClock();
    const drawn: string[] = [];
    const scheduler = new FrameScheduler(clock);
    const a = chart(clock, 'a', drawn);
    a.isVisible = false;
    scheduler.mark(a);
    clock.frame();
    expect(drawn).toEqual([]);
    a.isVisible = true;
    scheduler.mark(a);
    clock.frame();
    expect(drawn).toEqual(['a']);
  });

  it('keeps to its rate, except for the user', () => {
    const clock = new HandClock();
    const drawn: string[] = [];
    const scheduler = new FrameScheduler(clock, 10, 80);
    const a = chart(clock, 'a', drawn);
    scheduler.mark(a);
    clock.frame(100);
    scheduler.mark(a);
    clock.frame(16);
    expect(drawn).toEqual(['a']);
    scheduler.markUrgent(a);
    clock.frame(16);
    expect(drawn).toEqual(['a', 'a']);
  });
});
