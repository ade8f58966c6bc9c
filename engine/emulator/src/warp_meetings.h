// The meetings of one warp's lanes, one line of meetings for each mask in use.
#pragma once

#include "shim/warp.h"

#include <memory>
#include <vector>

namespace emulator {

struct Meeting {
  unsigned mask = 0;
  unsigned turn = 0;  // Meetings take turns in the two sets of slots: nobody can be two meetings ahead of a reader.
  unsigned arrived = 0;
  size_t bytes = 0;
  unsigned present[2] = {0, 0};
  alignas(64) unsigned char slots[2][32 * SLOT_BYTES];
};

class WarpMeetings {
 public:
  // Forgets what an earlier block left; lanes are those that exist.
  void reset(unsigned lanes) {
    lanes_ = lanes;
    used_ = 0;
  }

  unsigned lanes() const { return lanes_; }

  Meeting& with_mask(unsigned mask) {
    for (size_t i = 0; i < used_; i++) {
      if (meetings_[i]->mask == mask) return *meetings_[i];
    }
    if (used_ == meetings_.size()) meetings_.push_back(std::make_unique<Meeting>());
    Meeting& meeting = *meetings_[used_++];
    meeting.mask = mask;
    meeting.turn = meeting.arrived = 0;
    return meeting;
  }

 private:
  std::vector<std::unique_ptr<Meeting>> meetings_;
  size_t used_ = 0;
  unsigned lanes_ = 0;
};

}  // namespace emulator
