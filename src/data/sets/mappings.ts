import { ClassMapping, parseRanges, sliceMapping } from "../classMapping";

/** Classes of ImageNet-1K, in the order of their sorted wnids, that ImageNet-A has: natural-adv-examples/eval.py. */
const classesA = `
  6 11 13 15 17 22-23 27 30 37 39 42 47 50 57 70-71 76 79 89-90 94 96-97 99 105 107-108 110 113 124-125 130 132
  143-144 150-151 207 234-235 254 277 283 287 291 295 298 301 306-311 313-315 317 319 323-324 326-327 330 334-336
  347 361 363 372 378 386 397 400-402 404 407 411 416-417 420 425 428 430 437-438 445 456-457 461-462 470 472 483
  486 488 492 496 514 516 528 530 539 542-543 549 552 557 561-562 569 572-573 575 579 589 606-607 609 614 626-627
  640-643 658 668 677 682 684 687 701 704 719 736 746 749 752 758 763 765 768 773-774 776 779-780 786 792 797
  802-804 813 815 820 823 831 833 835 839 845 847 850 859 862 870 879-880 888 890 897 900 907 913 924 932-934 937
  943 945 947 951 954 956-957 959 971-972 980-981 984 986-988`;

/** Those that ImageNet-R has: imagenet-r/eval.py. */
const classesR = `
  1-2 4 6 8-9 11 13 22-23 26 29 31 39 47 63 71 76 79 84 90 94 96-97 99-100 105 107 113 122 125 130 132 144-145
  147-148 150-151 155 160-163 171-172 178 187 195 199 203 207-208 219 231-232 234-235 242 245 247 250-251 254
  259-260 263 265 267 269 276-277 281 288-289 291-293 296 299 301 308-311 314-315 319 323 327 330 334-335 337-338
  340-341 344 347 353 355 361-362 365-368 372 388 390 393 397 401 407 413-414 425 428 430 435 437 441 447-448 457
  462-463 469-472 476 483 487 515 546 555 558 570 579 583 587 593-594 596 609 613 617 621 629 637 657-658 701 717
  724 763 768 774 776 779-780 787 805 812 815 820 824 833 847 852 866 875 883 889 895 907 928 931-934 936-937 943
  945 947-949 951 953-954 957 963 965 967 980-981 983 988`;

/** Those that each class of ImageNet-9 gathers: backgrounds_challenge/in_to_in9.json. */
const classes9: Record<string, string> = {
  dog: "151-170 173-268",
  bird: "7-24 87-100 127-146",
  vehicle: `407-408 428 436 444 468 511 547 555 561 565 569 573 586 603 609 612 627 656 661 665 670-671 675 690
    705 717 734 751 757 791 802-803 817 820 829 847 864 866-867 870 880`,
  reptile: "33-68",
  carnivore: "269-280 286-299 356-362 387-388",
  insect: "300-326",
  instrument: `401-402 420 432 486 494 513 541 546 558 566 577 579 593-594 641-642 683-684 687 699 776 822 875 881
    889`,
  primate: "365-384",
  fish: "0-6 389-397",
};

/** The 200 classes of ImageNet-A among 1000: only they compete. */
export const imageNetAMapping = sliceMapping("ImageNet-A", parseRanges(classesA));

/** The 200 classes of ImageNet-R among 1000: only they compete. */
export const imageNetRMapping = sliceMapping("ImageNet-R", parseRanges(classesR));

/** Names of ImageNet-9's classes in label order. */
export const imageNet9Classes: readonly string[] = Object.keys(classes9);

/** 1000 classes to the nine of ImageNet-9: all of them compete, and one without a counterpart is a wrong answer. */
export const imageNet9Mapping = mappingTo9();

function mappingTo9(): ClassMapping {
  const labels = new Int32Array(1000).fill(-1);
  for (const [label, name] of imageNet9Classes.entries()) {
    for (const index of parseRanges(classes9[name])) labels[index] = label;
  }
  return new ClassMapping("ImageNet-9", labels, "all");
}
