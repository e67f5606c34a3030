"""`relay capacity`: what a load takes and costs, from measured figures and list prices."""
